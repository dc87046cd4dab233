import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { VlmoError } from '#errors.ts';
import type { OpenIndex } from '#service/contract.ts';

/** Name of the source of what was uploaded. */
export const UPLOADS = 'uploads';

/** Files that were uploaded, each under a name made of its content, so that the same one lies there once. */
export interface Uploads {
  readonly folder: string;
  /** Where the bytes lie now, as an absolute path. Throws UPLOAD_QUOTA. */
  keep(bytes: Uint8Array, ending: string): Promise<string>;
  isEmpty(): Promise<boolean>;
  /** Takes away what no item, failure or job of the index names any more. Gives how many files went. */
  sweep(inUse: ReadonlySet<string>): Promise<number>;
}

/** A file may be there before its item is: what is younger is left alone. */
const YOUNG_MS = 3_600_000;

export function createUploads(index: OpenIndex, quota: number, now: () => number = Date.now): Uploads {
  const home = isAbsolute(index.folder) ? index.folder : join(tmpdir(), `vlmo-${index.id}`);
  const folder = join(home, UPLOADS);
  let size: Promise<number> | undefined;

  async function keep(bytes: Uint8Array, ending: string): Promise<string> {
    const digest = createHash('sha256').update(bytes).digest('hex');
    const path = join(folder, digest.slice(0, 2), `${digest}${ending}`);
    if (await stat(path).catch(() => undefined)) return path;
    // Counted before it is written: two at once must not both fit.
    const before = (size ?? sizeOf(folder)).then((taken) => {
      if (taken + bytes.length <= quota) return taken + bytes.length;
      throw new VlmoError(
        'UPLOAD_QUOTA',
        `Cannot keep an upload: expected at most ${quota} bytes of them (--upload-quota), received ${bytes.length} beside ${taken}`,
      );
    });
    size = before.catch(() => sizeOf(folder));
    await before;
    await mkdir(join(path, '..'), { recursive: true });
    const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
    await writeFile(temporary, bytes);
    await rename(temporary, path);
    return path;
  }

  async function sweep(inUse: ReadonlySet<string>): Promise<number> {
    let gone = 0;
    for (const path of await filesOf(folder)) {
      const file = await stat(path).catch(() => undefined);
      if (!file || inUse.has(path) || now() - file.mtimeMs < YOUNG_MS) continue;
      await rm(path, { force: true });
      gone += 1;
    }
    size = undefined;
    return gone;
  }

  return { folder, keep, sweep, isEmpty: async () => (await filesOf(folder)).length === 0 };
}

async function filesOf(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function sizeOf(folder: string): Promise<number> {
  let size = 0;
  for (const path of await filesOf(folder)) size += (await stat(path).catch(() => undefined))?.size ?? 0;
  return size;
}
