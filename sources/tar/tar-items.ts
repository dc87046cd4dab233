import { open } from 'node:fs/promises';
import { errorMessage, toErrorData, VlmoError } from '#errors.ts';
import { patiently, throwIfMachine } from '#machine-error.ts';
import { isPackedTar, unpackTar } from '#pictures/unpacked-tar.ts';
import { filePath } from '#uri.ts';
import type { Item, SourceOptions } from '../item.ts';
import { Occurrences } from '../occurrences.ts';
import type { ReadingNotes } from '../reading-notes.ts';
import { TarReader, tarEntries } from './entries.ts';
import { broken, sampleItems, type TarReading } from './sample-items.ts';
import { notInSample, toSamples } from './samples.ts';

const TAR = /\.(tar|tgz|tar\.gz|tar\.zst|tar\.xz)$/i;

export function isTar(name: string): boolean {
  return TAR.test(name);
}

export interface TarBatch {
  readonly items: readonly Item[];
  /** Part of the tar that is read, 0 to 1. */
  readonly share: number;
}

/**
 * Streams the samples of a tar as WebDataset has them, in its order. `name` is what the ids of its items begin with. What of it cannot be
 * read is a broken item, and the rest goes on; so is a tar that cannot be opened.
 */
export async function* tarItems(
  uri: string,
  name: string,
  options: SourceOptions,
  notes: ReadingNotes,
): AsyncGenerator<TarBatch, void, void> {
  try {
    const path = isPackedTar(uri) ? await unpackTar(uri) : filePath(uri);
    await using file = await patiently(() => open(path, 'r'));
    const reader = new TarReader(file, (await file.stat()).size);
    const reading = { ...{ reader, uri, prefix: `${name}/` }, options, notes, keys: new Occurrences() };
    yield* readSamples(reading);
  } catch (error) {
    throwIfMachine(`Cannot read "${uri}"`, error);
    const message = `Cannot read "${uri}": expected a readable tar, received "${errorMessage(error)}"`;
    const data = error instanceof VlmoError ? error : new VlmoError('SOURCE_ROW_INVALID', message);
    yield {
      items: [{ kind: 'broken', id: name, uri, error: toErrorData(data, 'SOURCE_ROW_INVALID') }],
      share: 1,
    };
  }
}

async function* readSamples(reading: TarReading): AsyncGenerator<TarBatch, void, void> {
  const { reader, notes, prefix, uri } = reading;
  let share = 0;
  for await (const found of toSamples(tarEntries(reader))) {
    let items: readonly Item[] = [];
    if ('key' in found) {
      items = await sampleItems(found, reading);
      share = (found.files.at(-1)?.offset ?? 0) / Math.max(1, reader.size);
    } else if (found.kind === 'file')
      notes.leaveOut(notInSample(found.name) ?? 'other_type', prefix + found.name);
    else if (found.kind === 'sparse')
      items = [broken(reading, found.name, 'expected a plain file, received a sparse one')];
    else if (found.kind === 'cut')
      items = [
        broken(
          reading,
          found.name,
          `expected ${found.expected} bytes, received ${found.received}: the tar is cut`,
        ),
      ];
    else if (found.kind === 'damage') {
      const message = `Cannot read "${uri}": ${found.reason}`;
      items = [
        {
          kind: 'broken',
          id: `${prefix}@${found.offset}`,
          uri,
          error: { code: 'SOURCE_ROW_INVALID', message },
        },
      ];
    }
    if (items.length > 0) yield { items, share };
  }
}
