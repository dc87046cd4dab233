const BASE_MS = 1000;
const FACTOR = 4;
const LONGEST_MS = 60_000;

/** How long to wait before try `attempt + 1`: 1 s, 4 s, 16 s, 60 s, each up to a fifth longer or shorter by chance. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const ms = Math.min(LONGEST_MS, BASE_MS * FACTOR ** (attempt - 1));
  return Math.round(ms * (0.8 + 0.4 * random()));
}
