import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Thumbnails on disk, at most so many bytes of them; what was not asked for longest goes first. */
export interface ThumbnailCache {
  /** The thumbnail of this name, made where it is not there. Two that ask at once wait for one. */
  get(name: string, make: () => Promise<Uint8Array>): Promise<Uint8Array>;
}

/** What is left when the cache is full, so that not every new one has to make room. */
const KEPT = 0.8;

/** Names are of letters, digits, `-`, `_` and `.`. A cache that cannot be written is none: every thumbnail is made. */
export function createThumbnailCache(folder: string, maxBytes: number): ThumbnailCache {
  const making = new Map<string, Promise<Uint8Array>>();
  let size: Promise<number> | undefined;

  async function put(name: string, bytes: Uint8Array): Promise<void> {
    const place = placeOf(folder, name);
    // Before this one is there, or it would count twice.
    const before = await (size ?? sizeOf(folder));
    await mkdir(join(place, '..'), { recursive: true });
    const temporary = `${place}.${randomUUID()}.tmp`;
    await writeFile(temporary, bytes);
    await rename(temporary, place);
    size = (size ?? Promise.resolve(before)).then((now) => now + bytes.length);
    if ((await size) > maxBytes) size = makeRoom(folder, maxBytes * KEPT);
    await size;
  }

  async function make(name: string, draw: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const place = placeOf(folder, name);
    const kept = await readFile(place).catch(() => undefined);
    if (kept) {
      const now = new Date();
      await utimes(place, now, now).catch(() => undefined);
      return kept;
    }
    const bytes = await draw();
    await put(name, bytes).catch(() => undefined);
    return bytes;
  }

  return {
    get(name, draw) {
      const found = making.get(name) ?? make(name, draw).finally(() => making.delete(name));
      making.set(name, found);
      return found;
    },
  };
}

/** In folders by their first two letters: a folder of a million names is slow. */
function placeOf(folder: string, name: string): string {
  return join(folder, name.slice(0, 2), name);
}

interface Kept {
  readonly path: string;
  readonly bytes: number;
  readonly usedAt: number;
}

async function listKept(folder: string): Promise<Kept[]> {
  const found: Kept[] = [];
  for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
    const path = join(folder, name);
    const file = await stat(path).catch(() => undefined);
    if (file?.isFile()) found.push({ path, bytes: file.size, usedAt: file.mtimeMs });
  }
  return found;
}

async function sizeOf(folder: string): Promise<number> {
  return (await listKept(folder)).reduce((sum, { bytes }) => sum + bytes, 0);
}

async function makeRoom(folder: string, target: number): Promise<number> {
  const kept = (await listKept(folder)).toSorted((a, b) => a.usedAt - b.usedAt);
  let size = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { path, bytes } of kept) {
    if (size <= target) break;
    await rm(path, { force: true });
    size -= bytes;
  }
  return size;
}
