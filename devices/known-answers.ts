import { VlmoError } from '#errors.ts';

/**
 * What a device has to compute before it is believed. Each module exports `knownAnswers(provider)`, which gives the
 * largest difference from the CPU's values or throws DEVICE_WRONG; the probe runs them in its own process.
 */
export const KNOWN_ANSWERS = {
  scores: '#scorer/known-answers.ts',
  model: '#model/vlmo/known-answers.ts',
} as const;

/** The largest difference of each, by its name. */
export type Differences = Readonly<Record<string, number>>;

export interface Comparison {
  readonly device: string;
  /** One of the values in words, `a score` for example. */
  readonly what: string;
  readonly expected: ArrayLike<number>;
  readonly received: ArrayLike<number>;
  /** Largest difference that another order of additions explains. */
  readonly bound: number;
}

/** The largest difference of two rows of numbers. Throws DEVICE_WRONG where one is beyond the bound. */
export function compareAnswers({ device, what, expected, received, bound }: Comparison): number {
  if (expected.length !== received.length)
    throw deviceWrong(device, `${expected.length} values of ${what}`, `${received.length}`);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((received[i] as number) - (expected[i] as number));
    // Not a number is never within a bound.
    if (!(difference <= bound))
      throw deviceWrong(device, `${what} of ${expected[i]}`, `${received[i]} (value ${i})`);
    largest = Math.max(largest, difference);
  }
  return largest;
}

function deviceWrong(device: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'DEVICE_WRONG',
    `Cannot use device "${device}", which computes something else than the CPU: expected ${expected}, received ${received}`,
  );
}
