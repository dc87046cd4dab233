const EVERY_MS = 60_000;
/** Longest silence within one time of trouble: tries are further apart by then. */
const QUIET_MS = 30_000;

/** Says what is wrong with Redis when it begins, and once a minute for as long as it lasts. */
export interface Trouble {
  readonly met: (error: Error) => void;
}

/** `say` is told of it in words, of which the log makes a line. */
export function createTrouble(say: (words: string) => void, now = () => performance.now()): Trouble {
  let since: number | undefined;
  let last = 0;
  let said = 0;
  return {
    met({ message }) {
      if (since === undefined || now() - last > QUIET_MS) since = undefined;
      last = now();
      if (since !== undefined && last - said < EVERY_MS) return;
      const lasting = since === undefined ? '' : ` for ${Math.round((last - since) / 1000)} seconds now`;
      since ??= last;
      said = last;
      say(`Redis: ${message}; waiting for it${lasting}`);
    },
  };
}
