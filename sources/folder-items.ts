import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage, toErrorData, VlmoError } from '#errors.ts';
import { metadataRules } from './columns.ts';
import { type Directory, type DirectoryEntry, readDirectory } from './directory.ts';
import type { BrokenItem, Item, SourceOptions } from './item.ts';
import { manifestRows } from './manifest-rows.ts';
import { Occurrences } from './occurrences.ts';
import { locateInside } from './picture-path.ts';
import { pushRowItems } from './row-items.ts';
import { readSidecars } from './sidecar.ts';

/** Pictures whose sidecars are read at the same time. */
const PICTURES_PER_BATCH = 32;
/** The convention of the Hugging Face ImageFolder. */
const METADATA_NAMES: readonly string[] = ['metadata.csv', 'metadata.jsonl'];

/** A folder that is being read. */
interface Place {
  readonly folder: string;
  /** The folder relative to the root, empty or ending with `/`. */
  readonly prefix: string;
}

interface OpenPlace extends Place, Directory {
  next: number;
}

interface Named {
  readonly options: SourceOptions;
  /** Pictures that metadata rows named, by id. */
  readonly pictures: Occurrences;
  readonly givenIds: Occurrences;
}

/** Streams what is below a folder in the order of the names, in batches; holds the lists of one folder per level. */
export async function* folderItems(
  root: string,
  options: SourceOptions,
): AsyncGenerator<readonly Item[], void, void> {
  const named: Named = { options, pictures: new Occurrences(), givenIds: new Occurrences() };
  const open: OpenPlace[] = [];
  yield* enter({ folder: root, prefix: '' }, open, named);
  for (let place = open.at(-1); place !== undefined; place = open.at(-1)) {
    const pictures: DirectoryEntry[] = [];
    let entry = place.entries[place.next];
    for (; entry && entry.kind !== 'directory' && pictures.length < PICTURES_PER_BATCH; ) {
      pictures.push(entry);
      entry = place.entries[++place.next];
    }
    if (pictures.length > 0) {
      yield await pictureItems(place, pictures, named);
    } else if (entry === undefined) {
      open.pop();
    } else {
      place.next++;
      const below = { folder: join(place.folder, entry.name), prefix: `${place.prefix}${entry.name}/` };
      yield* enter(below, open, named);
    }
  }
}

/** Lists a folder and gives what its metadata files name; its other contents come after that. */
async function* enter(place: Place, open: OpenPlace[], named: Named): AsyncGenerator<Item[], void, void> {
  const { folder, prefix } = place;
  let directory: Directory;
  try {
    directory = await readDirectory(folder);
  } catch (error) {
    const message = `Cannot list folder "${folder}": expected a readable folder, received "${errorMessage(error)}"`;
    yield [brokenItem(prefix.slice(0, -1) || '.', folder, new VlmoError('SOURCE_NOT_FOUND', message))];
    return;
  }
  open.push({ ...place, ...directory, next: 0 });
  for (const name of METADATA_NAMES) {
    if (directory.beside.has(name)) yield* metadataItems(place, name, named);
  }
}

async function* metadataItems(
  place: Place,
  metadata: string,
  { options, pictures, givenIds }: Named,
): AsyncGenerator<Item[], void, void> {
  const file = join(place.folder, metadata);
  const name = place.prefix + metadata;
  const locate = locateInside(place.folder, place.prefix);
  try {
    await checkFile(file);
    for await (const { rows } of manifestRows(file, metadataRules(options))) {
      const items: Item[] = [];
      for (const row of rows) pushRowItems(row, { file, name, locate, pictures, givenIds }, items);
      yield items;
    }
  } catch (error) {
    // A table of another kind may have that name: the pictures are indexed without it.
    if (!(error instanceof VlmoError)) throw error;
    yield [brokenItem(name, file, error)];
  }
}

/** A pipe would block the reader for ever. */
async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return;
  throw new VlmoError(
    'SOURCE_ROW_INVALID',
    `Cannot read "${path}": expected a file, received something else`,
  );
}

async function pictureItems(
  place: OpenPlace,
  entries: readonly DirectoryEntry[],
  named: Named,
): Promise<readonly Item[]> {
  const { folder, prefix, beside } = place;
  const sidecars = await Promise.all(entries.map(({ name }) => readSidecars(folder, prefix, name, beside)));
  const items: Item[] = [];
  for (const [index, { name, kind }] of entries.entries()) {
    const id = prefix + name;
    const uri = join(folder, name);
    if (kind === 'special') {
      const message = `Cannot read "${uri}": expected a file, received a pipe, a socket or a device`;
      items.push(brokenItem(id, uri, new VlmoError('SOURCE_ROW_INVALID', message)));
      continue;
    }
    const { captions = [], meta = {}, broken = [] } = sidecars[index] ?? {};
    const isNamed = named.pictures.size > 0 && named.pictures.has(id);
    if (!isNamed) items.push({ kind: 'image', id, uri, meta });
    for (const [n, caption] of captions.entries()) {
      const number = isNamed ? named.pictures.next(id) : n;
      items.push({ kind: 'caption', id: `${id}#${number}`, imageId: id, uri, caption, meta });
    }
    items.push(...broken);
  }
  return items;
}

function brokenItem(id: string, uri: string, error: VlmoError): BrokenItem {
  return { kind: 'broken', id, uri, error: toErrorData(error, 'SOURCE_ROW_INVALID') };
}
