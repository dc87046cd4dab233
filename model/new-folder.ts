import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { VlmoError } from '#errors.ts';

/**
 * Has a folder written that appears whole or not at all: `write` fills the one that `begin` makes beside it. Throws
 * MODEL_EXISTS, and what `write` throws.
 */
export async function writeNewFolder<T>(
  folder: string,
  write: (begin: () => Promise<string>) => Promise<T>,
): Promise<{ readonly path: string; readonly result: T }> {
  const path = resolve(folder);
  await refuseExisting(path);
  // A fixed name: what an import that was killed left behind, the next one takes away.
  const partial = join(dirname(path), `.${basename(path)}.importing`);
  let isBegun = false;
  try {
    const result = await write(async () => {
      await rm(partial, { recursive: true, force: true });
      await mkdir(partial, { recursive: true });
      isBegun = true;
      return partial;
    });
    await rename(partial, path);
    return { path, result };
  } catch (error) {
    if (isBegun) await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

async function refuseExisting(out: string): Promise<void> {
  const exists = await access(out).then(
    () => true,
    () => false,
  );
  if (exists)
    throw new VlmoError(
      'MODEL_EXISTS',
      `Cannot import into "${out}": expected a folder that is not there yet, received one that is`,
    );
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
