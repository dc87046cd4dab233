import { InvalidArgumentError } from 'commander';

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new InvalidArgumentError(`Expected a whole number from 1, received "${text}".`);
}

export function finiteNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError(`Expected a number, received "${text}".`);
}

/** From 0 to 1. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError(`Expected a number from 0 to 1, received "${text}".`);
}

/** For an option that may be given several times, or with several values. */
export function collect(value: string, all: readonly string[] = []): readonly string[] {
  return [...all, value];
}
