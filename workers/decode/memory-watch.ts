const MIB = 2 ** 20;

/** Pages come at some GB a second: between two looks a picture takes tens of MB. */
const LOOK_EVERY_MS = 5;
/** What a picture may take between two looks, with room to spare, in shares of the limit. */
const RESERVE = 1 / 16;
/** What an idle process holds more than at its start, before its garbage is collected, in shares of the limit. */
const LITTER = 1 / 8;

/**
 * Runs work, one at a time, and looks at the memory of this process meanwhile: `onTooMuch` is called where it takes more
 * than the limit above what was taken at the start. It looks from inside, where the main thread is free while libvips
 * decodes on another, because nobody else sees it as soon, and on every system alike.
 */
export function createMemoryWatch(
  limitMiB: number,
  onTooMuch: () => void,
): <T>(work: () => Promise<T>) => Promise<T> {
  const limit = limitMiB * MIB;
  const idle = taken();
  return async (work) => {
    if (taken() - idle > limit * LITTER) globalThis.gc?.();
    const timer = setInterval(() => {
      if (taken() - idle > limit * (1 - RESERVE)) onTooMuch();
    }, LOOK_EVERY_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  };
}

/** Nothing where the system does not say so: with no file handle left, that is no reason to end. */
function taken(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}
