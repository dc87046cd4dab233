import { errorMessage, toErrorData, VlmoError } from '#errors.ts';
import { patiently, throwIfMachine } from '#machine-error.ts';
import { uriInside } from '#uri.ts';
import { type Directory, readDirectory } from './directory.ts';
import { type LookedAt, lookAt } from './folder-entry.ts';
import type { FolderBatch, FolderReading, Place } from './folder-reading.ts';
import { notDownloaded, rowsWithPictures, tableIn } from './folder-tables.ts';
import type { BrokenItem, Item, SourceOptions } from './item.ts';
import { KnownEntries } from './known-entries.ts';
import { LinkedFolders } from './linked-folders.ts';
import { METADATA_NAMES, metadataItems } from './metadata-items.ts';
import { Occurrences } from './occurrences.ts';
import { createPathFilter } from './path-filter.ts';
import { nameSays } from './picture-name.ts';
import type { ReadBefore } from './read-before.ts';
import type { ReadingNotes } from './reading-notes.ts';
import { readSidecars } from './sidecar.ts';
import { tarItems } from './tar/tar-items.ts';
import { tarWeight } from './tar/tar-weight.ts';

/** Entries that are looked at, and pictures whose sidecars are read, at the same time. */
const ENTRIES_PER_BATCH = 32;

interface OpenPlace extends Place, Directory {
  next: number;
  readonly known: KnownEntries;
}

/** Streams what is below a folder in the order of the names, in batches; holds the lists of one folder per level. */
export async function* folderItems(
  root: string,
  options: SourceOptions,
  notes: ReadingNotes,
  before?: ReadBefore,
): AsyncGenerator<FolderBatch, void, void> {
  const filter = createPathFilter(options);
  const links = await LinkedFolders.open(root, filter);
  const sets = { pictures: new Occurrences(), givenIds: new Occurrences() };
  const reading: FolderReading = { options, notes, filter, links, before, ...sets };
  const open: OpenPlace[] = [];
  yield* enter({ folder: root, prefix: '', real: links.root, isLinked: false }, open, reading);
  for (let place = open.at(-1); place !== undefined; place = open.at(-1)) {
    const looked = await nextFiles(place);
    const files = looked.filter(({ kind }) => kind !== 'directory' && kind !== 'linked' && kind !== 'tar');
    if (files.length > 0) yield await fileItems(place, files, reading);
    const below = looked.at(-1);
    if (below?.kind === 'tar') yield* inTar(place, below, reading);
    if (below === undefined) {
      for (const description of place.beside.unused()) {
        const table = await tableIn(place, description);
        if (table === 'pictures') yield* rowsWithPictures(place, description, reading);
        else if (table === 'status') yield* notDownloaded(place, description);
        else leaveOutDescription(place, description.name, reading);
      }
      open.pop();
    } else if (below.kind === 'directory' || below.kind === 'linked') {
      const next = placeOf(below, place, reading);
      if (next) yield* enter(next, open, reading);
    }
  }
}

/** What lies in a tar, under its path. */
async function* inTar(
  { prefix }: Place,
  { entry: { name, uri } }: LookedAt,
  { options, notes }: FolderReading,
): AsyncGenerator<FolderBatch, void, void> {
  const weight = await tarWeight(uri);
  let read = 0;
  for await (const { items, share } of tarItems(uri, prefix + name, options, notes)) {
    yield { items, passed: weight * (share - read) };
    read = share;
  }
  yield { items: [], passed: weight * (1 - read) };
}

/** The next files of a folder, up to the next folder or tar in it, which comes last. */
async function nextFiles(place: OpenPlace): Promise<readonly LookedAt[]> {
  await place.known.ask(place.next, ENTRIES_PER_BATCH);
  const ahead = place.entries.slice(place.next, place.next + ENTRIES_PER_BATCH);
  const folder = ahead.findIndex(({ kind }) => kind === 'directory');
  const looked = await Promise.all(
    ahead
      .slice(0, folder === -1 ? ahead.length : folder + 1)
      .map((entry) => lookAt(entry, place.known.of(entry))),
  );
  const inner = looked.findIndex(({ kind }) => kind === 'linked' || kind === 'tar');
  const taken = inner === -1 ? looked : looked.slice(0, inner + 1);
  place.next += taken.length;
  return taken;
}

/** Where a folder in a folder is; undefined if it is read elsewhere, or was. */
function placeOf(
  below: Extract<LookedAt, { readonly kind: 'picture' | 'tar' | 'special' | 'directory' | 'linked' }>,
  place: Place,
  { links, filter, notes }: FolderReading,
): Place | undefined {
  const { name, uri } = below.entry;
  const path = place.prefix + name;
  const isLinked = place.isLinked || below.kind === 'linked';
  const real = below.kind === 'linked' ? below.real : uriInside(place.real, below.entry.raw);
  const reason = below.kind === 'linked' ? filter.folder(path) : undefined;
  if (reason === undefined && (!isLinked || links.take(real)))
    return { folder: uri, prefix: `${path}/`, real, isLinked };
  notes.leaveOut(reason ?? 'linked', path);
  return undefined;
}

/** Lists a folder and gives what its metadata files name; its other contents come after that. */
async function* enter(
  place: Place,
  open: OpenPlace[],
  reading: FolderReading,
): AsyncGenerator<FolderBatch, void, void> {
  const { folder, prefix } = place;
  let directory: Directory;
  try {
    directory = await patiently(() => readDirectory(folder, prefix, reading.filter, reading.notes));
  } catch (error) {
    throwIfMachine(`Cannot list folder "${folder}"`, error);
    const message = `Cannot list folder "${folder}": expected a readable folder, received "${errorMessage(error)}"`;
    const broken = brokenItem(prefix.slice(0, -1) || '.', folder, new VlmoError('SOURCE_NOT_FOUND', message));
    yield { items: [broken], passed: 0 };
    return;
  }
  open.push({
    ...place,
    ...directory,
    next: 0,
    known: new KnownEntries(reading.before, prefix, directory.entries),
  });
  for (const name of METADATA_NAMES) {
    for (const description of directory.beside.find(name)) {
      directory.beside.use(description);
      for await (const items of metadataItems(place, description, reading)) yield { items, passed: 0 };
    }
  }
}

/** A table or a text that describes nothing here: said, because somebody wrote it for something. */
function leaveOutDescription({ prefix }: Place, name: string, { notes }: FolderReading): void {
  notes.leaveOut(/\.(txt|json)$/i.test(name) ? 'without_picture' : 'other_type', prefix + name);
}

async function fileItems(
  place: OpenPlace,
  files: readonly LookedAt[],
  { notes, options, pictures }: FolderReading,
): Promise<FolderBatch> {
  const sidecars = await Promise.all(
    files.map(async ({ kind, entry }) =>
      kind === 'picture' ? readSidecars(place, entry.name, options, notes, place.known.of(entry)) : undefined,
    ),
  );
  const items: Item[] = [];
  for (const [index, file] of files.entries()) {
    const { name, uri } = file.entry;
    const id = place.prefix + name;
    if (file.kind === 'left-out') notes.leaveOut(file.reason, id);
    if (file.kind === 'special') {
      const message = `Cannot read "${uri}": expected a file, received a pipe, a socket or a device`;
      items.push(brokenItem(id, uri, new VlmoError('SOURCE_ROW_INVALID', message)));
    }
    if (file.kind !== 'picture') continue;
    const { captions = [], meta = {}, broken = [], described } = sidecars[index] ?? {};
    const named = namedAs(id, pictures);
    if (named === undefined)
      items.push({ kind: 'image', id, uri, meta, ...(described !== undefined && { described }) });
    notes.addCaptions(captions.length);
    for (const [n, caption] of captions.entries()) {
      const [imageId, number] = named === undefined ? [id, n] : [named, pictures.next(named)];
      items.push({ kind: 'caption', id: `${imageId}#${number}`, imageId, uri, caption, meta });
    }
    items.push(...broken);
  }
  return { items, passed: files.filter(({ entry }) => nameSays(entry.name) !== 'other').length };
}

/** The id under which a metadata row has named a picture, whose accents it may write in the other form. */
function namedAs(id: string, pictures: Occurrences): string | undefined {
  if (pictures.size === 0) return undefined;
  return [id, id.normalize('NFC'), id.normalize('NFD')].find((form) => pictures.has(form));
}

function brokenItem(id: string, uri: string, error: VlmoError): BrokenItem {
  return { kind: 'broken', id, uri, error: toErrorData(error, 'SOURCE_ROW_INVALID') };
}
