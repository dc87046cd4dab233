import { appendFile, mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Whole numbers for keys, for clients whose ids are numbers: the line of a key in a file that only grows. */
export interface RowNumbers {
  numbers(keys: readonly string[]): Promise<readonly number[]>;
  /** Undefined for a number that was never given. */
  key(number: number): Promise<string | undefined>;
}

/** A key and a line feed: every line is as long as the others, so that its number says where it is. */
const LINE_BYTES = 23;

/**
 * The numbers of one generation. Any number of processes may give numbers at once: a key that two of them add has two,
 * both of which mean it.
 */
export function openRowNumbers(folder: string, generation: string): RowNumbers {
  const path = join(folder, `${generation}.keys`);
  const byKey = new Map<string, number>();
  const keys: string[] = [];
  let turn: Promise<unknown> = Promise.resolve();

  /** Takes up what was written since, by whomever. */
  async function catchUp(): Promise<void> {
    const size = (await stat(path).catch(() => undefined))?.size ?? 0;
    const from = keys.length * LINE_BYTES;
    const length = size - (size % LINE_BYTES) - from;
    if (length <= 0) return;
    await using file = await open(path, 'r');
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, from);
    for (const key of buffer.toString('latin1').split('\n').slice(0, -1)) {
      if (!byKey.has(key)) byKey.set(key, keys.length);
      keys.push(key);
    }
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work);
    turn = mine.catch(() => undefined);
    return mine;
  }

  return {
    numbers: (asked) =>
      inTurn(async () => {
        await catchUp();
        const fresh = [...new Set(asked.filter((key) => !byKey.has(key)))];
        if (fresh.length > 0) {
          await mkdir(folder, { recursive: true });
          // One append: lines of two processes never mix.
          await appendFile(path, fresh.map((key) => `${key}\n`).join(''));
          await catchUp();
        }
        return asked.map((key) => byKey.get(key) ?? -1);
      }),
    key: (number) =>
      inTurn(async () => {
        if (number >= keys.length) await catchUp();
        return keys[number];
      }),
  };
}
