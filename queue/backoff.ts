const BASE_MS = 1000;
const FACTOR = 4;
const LONGEST_MS = 60_000;

/** How long to wait before try `attempt + 1`: 1 s, 4 s, 16 s, 60 s, each up to a fifth longer or shorter by chance. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  return jitter(BASE_MS * FACTOR ** (attempt - 1), random);
}

/** How long to wait for what many jobs wait for: as long as it has been going on, 1 s to 60 s, so that it doubles. */
export function doublingMs(sinceMs: number, random: () => number = Math.random): number {
  return jitter(Math.max(BASE_MS, sinceMs), random);
}

function jitter(ms: number, random: () => number): number {
  return Math.round(Math.min(LONGEST_MS, ms) * (0.8 + 0.4 * random()));
}
