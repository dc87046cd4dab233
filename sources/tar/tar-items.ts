import { open } from 'node:fs/promises';
import { errorMessage, toErrorData, VlmoError } from '#errors.ts';
import { errnoOf, patiently, throwIfMachine } from '#machine-error.ts';
import { isPackedTar, unpackTar } from '#pictures/unpacked-tar.ts';
import { filePath, fileUrl } from '#uri.ts';
import type { BrokenItem, Item, SourceOptions } from '../item.ts';
import { Occurrences } from '../occurrences.ts';
import type { ReadingNotes } from '../reading-notes.ts';
import { TarReader, tarEntries } from './entries.ts';
import { broken, sampleItems, type TarReading } from './sample-items.ts';
import { notInSample, toSamples } from './samples.ts';

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
    const { path, damage } = isPackedTar(uri)
      ? await unpackTar(uri)
      : { path: filePath(uri), damage: undefined };
    await using file = await patiently(() => open(path, 'r'));
    const reader = new TarReader(file, (await file.stat()).size);
    const place = { reader, uri, container: fileUrl(uri), prefix: `${name}/` };
    const reading = { ...place, options, notes, keys: new Occurrences() };
    yield* readSamples(reading, damage === undefined);
    if (damage !== undefined) yield { items: [unreadable(uri, name, damage)], share: 1 };
  } catch (error) {
    throwIfMachine(`Cannot read "${uri}"`, error);
    const item = unreadable(uri, name, `expected a readable tar, received "${errorMessage(error)}"`);
    const code = errnoOf(error) === undefined ? item.error.code : 'SOURCE_NOT_FOUND';
    const data = error instanceof VlmoError ? toErrorData(error, 'TAR_DAMAGED') : { ...item.error, code };
    yield { items: [{ ...item, error: data }], share: 1 };
  }
}

/** What lies behind is not known: nothing of this source may count as gone. */
function unreadable(uri: string, id: string, reason: string): BrokenItem {
  const message = `Cannot read "${uri}": ${reason}`;
  return { kind: 'broken', id, uri, error: { code: 'TAR_DAMAGED', message } };
}

async function* readSamples(reading: TarReading, isWhole: boolean): AsyncGenerator<TarBatch, void, void> {
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
    else if (found.kind === 'cut') {
      const reason = `expected ${found.expected} bytes of "${found.name}", received ${found.received}: the tar is cut`;
      items = [unreadable(uri, prefix + found.name, reason)];
    } else if (found.kind === 'damage' && (isWhole || !found.isEnd))
      items = [unreadable(uri, `${prefix}@${found.offset}`, found.reason)];
    if (items.length > 0) yield { items, share };
  }
}
