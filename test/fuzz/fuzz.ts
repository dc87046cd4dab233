import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VlmoError } from '#errors.ts';
import type { Item, Source } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { differences } from './compare-doors.ts';
import { generateSource } from './generate-source.ts';
import { openTwoDoors } from './two-doors.ts';

export interface Fuzzed {
  /** Items that went through each door. */
  readonly items: number;
  /** Seeds whose sources were refused as a whole, by both doors alike: they are opened before either. */
  readonly refused: number;
  /** What went wrong, by seed. */
  readonly faults: ReadonlyMap<number, string>;
}

/** Sources of one run: what a run costs is more than what a source does. */
const SEEDS_PER_RUN = 25;

/**
 * Generates the sources of so many seeds and indexes each directly and through the queue. What the two stored and listed
 * must be the same. `onSeeds` is told how many are done.
 */
export async function fuzz(first: number, count: number, onSeeds?: (done: number) => void): Promise<Fuzzed> {
  await using doors = await openTwoDoors();
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-fuzz-sources-'));
  let [items, refused] = [0, 0];
  try {
    for (let done = 0; done < count; done += SEEDS_PER_RUN) {
      const seeds = Array.from({ length: Math.min(SEEDS_PER_RUN, count - done) }, (_, i) => first + done + i);
      const read: Item[] = [];
      for (const seed of seeds) {
        const found = await readSeed(seed, join(folder, String(seed)));
        if (found === undefined) refused++;
        else read.push(...found);
      }
      items += read.length;
      await doors.index(() => sourceOf(join(folder, String(seeds[0])), read));
      onSeeds?.(done + seeds.length);
    }
    return { items, refused, faults: await differences(doors) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The items of a seed's source, their ids marked with the seed; undefined where it is refused. */
async function readSeed(seed: number, folder: string): Promise<readonly Item[] | undefined> {
  await mkdir(folder, { recursive: true });
  const { path, options } = await generateSource(seed, folder);
  const items: Item[] = [];
  try {
    for await (const item of (await openSource(path, options)).items()) items.push(marked(seed, item));
  } catch (error) {
    if (error instanceof VlmoError) return undefined;
    throw new Error(`Seed ${seed}: reading threw what is no VlmoError`, { cause: error });
  }
  return items;
}

function marked(seed: number, item: Item): Item {
  const id = `${seed}:${item.id}`;
  if (item.kind !== 'caption') return { ...item, id };
  return { ...item, id, imageId: item.imageId === null ? null : `${seed}:${item.imageId}` };
}

function sourceOf(uri: string, items: readonly Item[]): Source {
  return {
    uri,
    fraction: () => undefined,
    async *items() {
      yield* items;
    },
  };
}
