import { mkdtempSync, rmdirSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorMessage, VlmoError } from './errors.ts';
import { isTagGone, processTag } from './host-process.ts';

/** What mkdtemp puts behind a name, with the dash before it. */
const RANDOM = '-XXXXXX';

/**
 * A folder of this process for files that end with it. What processes that were killed have left under the same prefix
 * is taken away first. Throws MACHINE_FAILED where the parent takes no folder.
 */
export async function makeScratchFolder(parent: string, prefix: string): Promise<string> {
  for (const name of await readdir(parent).catch(() => [])) {
    // A name of mkdtemp ends with six characters. Those of another container, or another boot, are not ours to judge.
    const tag = name.startsWith(prefix) && name.slice(prefix.length, -RANDOM.length);
    if (tag && isTagGone(tag)) await rm(join(parent, name), { recursive: true, force: true }).catch(() => {}); // another user's
  }
  return mkdtemp(join(parent, `${prefix}${processTag()}-`)).catch((error: unknown) => {
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
