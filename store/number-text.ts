/**
 * Whether a text spells a number: `20`, `-1.5`, `.5`, `+2e3`. Not `007`, which is a code of some kind, nor hexadecimal,
 * `1,5` or `Infinity`, nor what is beyond the range of a double.
 */
export function isNumberText(text: string): boolean {
  return NUMBER.test(text) && Number.isFinite(Number(text));
}

const NUMBER = /^[+-]?(?!0\d)(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Whether a number is an integer that its double may not tell from the next one: 2^53 or more, or so much less than 0. */
export function isLargeInteger(value: string | number | bigint): boolean {
  return Math.abs(Number(value)) >= 2 ** 53;
}

/**
 * A text for each number, such that texts are in the order of the numbers: exactly for integers of any size, for others as
 * doubles are. `value` is a number or spells one.
 *
 *     -12.5  n 8997 874 :      0  o      0.5  p 1000 5      12.5  p 1002 125
 */
export function numberKey(value: string | number | bigint): string {
  const exact = readDecimal(String(value));
  const { sign, digits, exponent } = isWhole(exact) ? exact : readDecimal(String(Number(value)));
  if (digits === '') return 'o';
  const key = String(exponent + 1000).padStart(4, '0') + digits;
  return sign === '-' ? `n${complement(key)}:` : `p${key}`;
}

/** 0.digits * 10^exponent, without zeros at either end. */
interface Decimal {
  readonly sign: string;
  readonly digits: string;
  readonly exponent: number;
}

function readDecimal(text: string): Decimal {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(text) ?? [];
  const all = whole + fraction;
  const significant = all.replace(/^0+/, '');
  const exponent = whole.length + Number(power) - (all.length - significant.length);
  return { sign, digits: significant.replace(/0+$/, ''), exponent };
}

function isWhole({ digits, exponent }: Decimal): boolean {
  return digits.length <= exponent;
}

/** Each digit's distance to 9; what ends sooner is to come later, hence the colon behind it. */
function complement(digits: string): string {
  return digits.replace(/\d/g, (digit) => String(9 - Number(digit)));
}
