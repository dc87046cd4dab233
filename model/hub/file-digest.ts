import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Digests that were computed before, by path, size and time: files of models are gigabytes. */
const FOLDER = join(homedir(), '.cache', 'vlmo-pipeline', 'digests');

/** SHA-256 of a file, in hex, computed once for each size and time of change. Throws what reading it throws. */
export async function fileDigest(path: string, folder = FOLDER): Promise<string> {
  const { size, mtimeNs, ino } = await stat(path, { bigint: true });
  const key = createHash('sha256').update(`${path}\0${size}\0${mtimeNs}\0${ino}`).digest('hex');
  const kept = join(folder, key);
  const known = await readFile(kept, 'utf8').catch(() => '');
  if (/^[0-9a-f]{64}$/.test(known)) return known;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  const digest = hash.digest('hex');
  await keep(kept, folder, digest).catch(() => {}); // a home that takes no files: computed again next time
  return digest;
}

async function keep(path: string, folder: string, digest: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, digest);
  await rename(partial, path);
}
