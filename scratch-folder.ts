import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorMessage, VlmoError } from './errors.ts';

/**
 * A folder of this process for files that end with it. What processes that were killed have left under the same prefix
 * is taken away first. Throws MACHINE_FAILED where the parent takes no folder.
 */
export async function makeScratchFolder(parent: string, prefix: string): Promise<string> {
  for (const name of await readdir(parent).catch(() => [])) {
    const pid = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid)))
      await rm(join(parent, name), { recursive: true, force: true }).catch(() => {}); // another user's
  }
  return mkdtemp(join(parent, `${prefix}${process.pid}-`)).catch((error: unknown) => {
    throw noFolder(parent, error);
  });
}

/** Throws MACHINE_FAILED where the folder for temporary files takes none: native code would end the process for that. */
export function requireTemporaryFolder(): void {
  const parent = tmpdir();
  try {
    rmdirSync(mkdtempSync(join(parent, 'vlmo-try-')));
  } catch (error) {
    throw noFolder(parent, error);
  }
}

function noFolder(parent: string, error: unknown): VlmoError {
  return new VlmoError(
    'MACHINE_FAILED',
    `Cannot make temporary files in "${parent}": expected a folder that takes them, received ${errorMessage(error)}; TMPDIR names another`,
    { cause: error },
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
