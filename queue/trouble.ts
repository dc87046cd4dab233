const EVERY_MS = 60_000;
/** Longest silence within one time of trouble: tries are closer together. */
const QUIET_MS = 30_000;

/** Says what is wrong with Redis when it begins, each new kind of it, and once a minute for as long as it lasts. */
export interface Trouble {
  readonly met: (error: Error) => void;
}

/** `say` is told of it in words, of which the log makes a line. */
export function createTrouble(say: (words: string) => void, now = () => performance.now()): Trouble {
  let since = -Infinity;
  let last = -Infinity;
  let said = -Infinity;
  const kinds = new Set<string>();
  return {
    met({ message }) {
      const at = now();
      if (at - last > QUIET_MS) {
        since = at;
        kinds.clear();
      }
      last = at;
      const kind = message.replaceAll(/[0-9a-f-]{8,}|\d+/g, '');
      if (kinds.has(kind) && at - said < EVERY_MS) return;
      const lasting = at > since ? `, for ${Math.round((at - since) / 1000)} seconds now` : '';
      kinds.add(kind);
      said = at;
      say(`Redis: ${message}; waiting for it${lasting}`);
    },
  };
}
