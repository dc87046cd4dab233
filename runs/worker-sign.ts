import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { boot } from '#host-process.ts';
import type { Beat } from '#queue/heartbeat.ts';

/** A folder of the index, in which each live worker keeps a file. */
const FOLDER = 'workers';

const signSchema = z.object({
  worker: z.string(),
  /** Raised at each beat, in the file first: a copy of the index holds an old one. */
  count: z.int(),
  boot: z.string(),
  /** What a person calls the machine, and the folder of the index there. */
  host: z.string(),
  path: z.string(),
  /** Device and number of the file; null where it could not be made yet, which proves nothing. */
  place: z.string().nullable(),
});

/** How a worker shows which index it works on. */
export type Sign = z.infer<typeof signSchema>;

export interface SignKeeper extends AsyncDisposable {
  readonly worker: string;
  /** Raises the sign, in the index and then for Redis. A file that cannot be written leaves it as it was. */
  next(): Promise<Beat>;
}

/** Keeps the sign of a worker in its index until it is disposed of; one that was taken away is made again. */
export function keepSign(index: string): SignKeeper {
  const worker = randomUUID();
  const file = join(index, FOLDER, worker);
  let sign: Sign = { worker, count: 0, boot: boot(), host: hostname(), path: index, place: null };
  async function write(): Promise<Sign> {
    const count = sign.count + 1;
    await writeFile(file, String(count));
    const { dev, ino } = await stat(file);
    return { ...sign, count, place: `${dev}:${ino}` };
  }
  return {
    worker,
    async next() {
      sign = await write()
        // Never the folder of the index itself: somebody may be putting it back just now.
        .catch(() => mkdir(join(index, FOLDER)).then(write))
        .catch(() => sign);
      return { worker, says: JSON.stringify(sign) };
    },
    async [Symbol.asyncDispose]() {
      await unlink(file).catch(() => undefined);
    },
  };
}

/** The sign that a beat tells; undefined for one of another version. */
export function readSign({ says }: Beat): Sign | undefined {
  try {
    return signSchema.safeParse(JSON.parse(says)).data;
  } catch {
    return undefined;
  }
}

/** What an index holds of a worker's sign; undefined where that is not there. */
export async function findSign(
  index: string,
  { worker }: Sign,
): Promise<Pick<Sign, 'count' | 'place'> | undefined> {
  const file = join(index, FOLDER, worker);
  try {
    const [text, { dev, ino }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    return { count: Number(text), place: `${dev}:${ino}` };
  } catch {
    return undefined;
  }
}

/** Takes away what workers that were killed have left. */
export async function dropSigns(index: string, alive: readonly Beat[]): Promise<void> {
  const live = new Set(alive.map(({ worker }) => worker));
  const names = await readdir(join(index, FOLDER)).catch(() => []);
  for (const name of names)
    if (!live.has(name)) await unlink(join(index, FOLDER, name)).catch(() => undefined);
}
