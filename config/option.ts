/** One option: how it is said, what it takes, and what holds when nothing is said. */
export interface OptionSpec<T = unknown> {
  /** As commander reads it. The placeholder is the unit: `--decode-timeout <seconds>`. */
  readonly flag: string;
  readonly type: OptionType<T>;
  readonly default?: T;
  /** For help and docs, where the default is worked out on each machine. */
  readonly defaultWords?: string;
  /** One sentence for help and docs, without range and default. */
  readonly sentence: string;
}

/** What an option takes, be it a text of a command line or the environment, or JSON of a file. */
export interface OptionType<T> {
  /** The range in words: `a whole number from 1 to 4096`. Empty where any text will do. */
  readonly range: string;
  /** The value that was meant; undefined where it is none. */
  parse(said: unknown): T | undefined;
  /** Stands without a value. */
  readonly isSwitch?: true;
  /** May be given several times; `said` is then a list. */
  readonly isList?: true;
  /** The words it takes, where they are few. */
  readonly choices?: readonly string[];
}

/** Environment variable that sets the option: `--batch-size` is `VLMO_BATCH_SIZE`, `-k` is `VLMO_K`. */
export function envName({ flag }: OptionSpec): string {
  const [name = ''] = flag.split(' ');
  return `VLMO_${name.replace(/^-+/, '').replaceAll('-', '_').toUpperCase()}`;
}

/** The flag alone: `--batch-size`. */
export function flagName({ flag }: OptionSpec): string {
  return flag.split(' ')[0] ?? flag;
}

export function wholeNumber(min: number, max: number = Number.MAX_SAFE_INTEGER): OptionType<number> {
  const range = `a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`;
  return {
    range,
    parse(said) {
      const value = toNumber(said);
      return Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined;
    },
  };
}

export function decimal(min = -Infinity, max = Infinity): OptionType<number> {
  return {
    range: min === -Infinity ? 'a number' : `a number from ${min} to ${max}`,
    parse(said) {
      const value = toNumber(said);
      return Number.isFinite(value) && value >= min && value <= max ? value : undefined;
    },
  };
}

export function choice<const Word extends string>(...choices: readonly Word[]): OptionType<Word> {
  return {
    range: inWords(choices),
    choices,
    parse: (said) => choices.find((word) => word === (typeof said === 'string' ? said.trim() : said)),
  };
}

/** Either of two types: `either(choice('auto'), wholeNumber(1, 512))`. */
export function either<A, B>(first: OptionType<A>, second: OptionType<B>): OptionType<A | B> {
  return {
    range: `${second.range}, or ${first.range}`,
    parse: (said) => first.parse(said) ?? second.parse(said),
  };
}

export const text: OptionType<string> = {
  range: '',
  parse: (said) => (typeof said === 'string' ? said : undefined),
};

/** Present or not. The environment and files say it by a word. */
export const present: OptionType<boolean> = {
  range: '"true" or "false"',
  isSwitch: true,
  parse(said) {
    if (typeof said === 'boolean') return said;
    const word = typeof said === 'string' ? said.trim().toLowerCase() : '';
    return ['1', 'true', 'yes', 'on'].includes(word)
      ? true
      : ['0', 'false', 'no', 'off'].includes(word)
        ? false
        : undefined;
  },
};

/** Texts: one by each flag, one a line in the environment, an array in a file. */
export const texts: OptionType<readonly string[]> = {
  range: 'texts, one a line',
  isList: true,
  parse(said) {
    const list = typeof said === 'string' ? said.split(/\r?\n/).filter((line) => line.trim() !== '') : said;
    return Array.isArray(list) && list.every((one) => typeof one === 'string') ? list : undefined;
  },
};

/** `"cpu", "webgpu" or "cuda"`. */
function inWords(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`);
  return [quoted.slice(0, -1).join(', '), ...quoted.slice(-1)].filter((part) => part !== '').join(' or ');
}

function toNumber(said: unknown): number {
  if (typeof said === 'number') return said;
  return typeof said === 'string' && said.trim() !== '' ? Number(said) : Number.NaN;
}
