import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const CONCURRENCY = 4;

/**
 * Makes a folder by writing every item into it, unless it holds this version already. A folder that is there is
 * complete: the work happens beside it.
 */
export async function fillFolder<T>(
  folder: string,
  version: string,
  items: readonly T[],
  write: (folder: string, item: T) => Promise<void>,
): Promise<void> {
  const marker = await readFile(join(folder, '.complete'), 'utf8').catch(() => '');
  if (marker === version) return;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item; item = items[next++]) await write(partial, item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  await writeFile(join(partial, '.complete'), version);
  await rm(folder, { recursive: true, force: true });
  await mkdir(dirname(folder), { recursive: true });
  await rename(partial, folder);
}
