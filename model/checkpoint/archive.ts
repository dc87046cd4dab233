import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import yauzl from 'yauzl';
import { errorMessage, VlmoError } from '#errors.ts';

/** A PyTorch zip file: one pickle and the storages it refers to, each stored uncompressed. */
export interface CheckpointArchive extends AsyncDisposable {
  readonly path: string;
  readonly pickle: Uint8Array;
  /** Whether the storages hold little-endian numbers, as all but a few exotic machines write them. */
  readonly littleEndian: boolean;
  /** Where storage `key` lies; undefined where the archive has none of that key. */
  place(key: string): StoragePlace | undefined;
  read(target: Uint8Array, position: number): Promise<void>;
}

export interface StoragePlace {
  readonly offset: number;
  readonly length: number;
}

/** The pickle holds names and sizes only: the largest published one is 200 kB. */
const MAX_PICKLE_BYTES = 64 * 1024 * 1024;
const MAX_ENTRIES = 100_000;
const UNCOMPRESSED = 0;

/** Opens a checkpoint without reading its storages. Throws CHECKPOINT_INVALID, CHECKPOINT_NOT_FOUND. */
export async function openArchive(path: string): Promise<CheckpointArchive> {
  const file = await open(path).catch((error: unknown) => {
    throw new VlmoError(
      'CHECKPOINT_NOT_FOUND',
      `Cannot open checkpoint "${path}": expected a readable file, received ${errorMessage(error)}`,
      {
        cause: error,
      },
    );
  });
  try {
    const places = await readPlaces(path, file);
    const pickleName = [...places.keys()].find((name) => name === 'data.pkl' || name.endsWith('/data.pkl'));
    if (pickleName === undefined) throw foreign(path, 'a zip file without "data.pkl"');
    const prefix = pickleName.slice(0, -'data.pkl'.length);
    const readWhole = async (place: StoragePlace): Promise<Uint8Array> => {
      const bytes = new Uint8Array(place.length);
      await readFully(path, file, bytes, place.offset);
      return bytes;
    };
    const pickle = places.get(pickleName);
    if (!pickle || pickle.length > MAX_PICKLE_BYTES)
      throw foreign(path, `a pickle of ${pickle?.length} bytes`);
    const order = places.get(`${prefix}byteorder`);
    return {
      path,
      pickle: await readWhole(pickle),
      littleEndian: !order || Buffer.from(await readWhole(order)).toString() !== 'big',
      place: (key) => places.get(`${prefix}data/${key}`),
      read: (target, position) => readFully(path, file, target, position),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readPlaces(path: string, file: FileHandle): Promise<Map<string, StoragePlace>> {
  const { size } = await file.stat();
  const zip = await promisify<yauzl.RandomAccessReader, number, yauzl.Options, yauzl.ZipFile>(
    yauzl.fromRandomAccessReader,
  )(new FileReader(file), size, { autoClose: false, lazyEntries: true }).catch((error: unknown) => {
    throw foreign(path, `${size} bytes that are not one or were cut off (${errorMessage(error)})`, error);
  });
  if (zip.entryCount > MAX_ENTRIES) throw foreign(path, `a zip file of ${zip.entryCount} entries`);
  const entries = await new Promise<yauzl.Entry[]>((resolve, reject) => {
    const found: yauzl.Entry[] = [];
    zip.on('entry', (entry) => {
      found.push(entry);
      zip.readEntry();
    });
    zip.on('end', () => resolve(found));
    zip.on('error', (error) => reject(foreign(path, `a damaged zip file (${errorMessage(error)})`, error)));
    zip.readEntry();
  });
  const places = new Map<string, StoragePlace>();
  for (const entry of entries) {
    if (entry.compressionMethod !== UNCOMPRESSED)
      throw foreign(path, `a zip file with "${entry.fileName}" compressed`);
    const { fileDataStart } = await localHeader(zip, entry).catch((error: unknown) => {
      throw foreign(path, `a damaged zip file (${errorMessage(error)})`, error);
    });
    if (fileDataStart + entry.uncompressedSize > size)
      throw foreign(path, `a zip file cut off inside "${entry.fileName}"`);
    places.set(entry.fileName, { offset: fileDataStart, length: entry.uncompressedSize });
  }
  return places;
}

/**
 * Reads for yauzl, whose own reader hands any position that a damaged file names to fs.read, which throws where nobody
 * can catch it; a FileHandle rejects.
 */
class FileReader extends yauzl.RandomAccessReader {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    super();
    this.#file = file;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#file
      .read(buffer, offset, length, position)
      .then(
        ({ bytesRead }) => callback(bytesRead === length ? null : new Error('it ended while it was read')),
        callback,
      );
  }
}

function localHeader(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<{ fileDataStart: number }> {
  return new Promise((resolve, reject) => {
    zip.readLocalFileHeader(entry, { minimal: true }, (error, header) =>
      error ? reject(error) : resolve(header),
    );
  });
}

async function readFully(
  path: string,
  file: FileHandle,
  target: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await file.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) throw foreign(path, 'a file that ended while it was read');
    done += bytesRead;
  }
}

function foreign(path: string, received: string, cause?: unknown): VlmoError {
  return new VlmoError(
    'CHECKPOINT_INVALID',
    `Cannot read checkpoint "${path}": expected a zip file as torch.save writes it, received ${received}`,
    { cause },
  );
}
