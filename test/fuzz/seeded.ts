import { seededRandom } from '../fixtures/files.ts';

/** Choices that are the same for the same seed. */
export interface Seeded {
  /** A whole number from 0 to `below - 1`. */
  below(below: number): number;
  /** Whether one of `times` falls on it. */
  oneIn(times: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** So many of what `make` gives, at least `least` and at most `most`. */
  list<T>(least: number, most: number, make: (index: number) => T): T[];
}

export function seeded(seed: number): Seeded {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  return {
    below,
    oneIn: (times) => below(times) === 0,
    pick: (from) => from[below(from.length)] as never,
    list: (least, most, make) => Array.from({ length: least + below(most - least + 1) }, (_, i) => make(i)),
  };
}
