import { readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeProcess, isGone } from './host-process.ts';

const POLL_MS = 20;
const TOUCH_MS = 2000;
/** A lock that was not touched for so long is void, whoever took it: only its own host can tell more. */
const VOID_MS = 30_000;

/**
 * Does a step while no other process does one under the same lock, on this machine or on another that sees the file. A
 * lock of a dead process is void: at once where it ran on this host (of one container, where there are some), after a
 * while without a sign of life elsewhere.
 */
export async function withLock<T>(path: string, step: () => Promise<T>): Promise<T> {
  while (!(await take(path))) {
    await dropVoid(path);
    await sleep(POLL_MS);
  }
  const touching = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, TOUCH_MS);
  try {
    return await step();
  } finally {
    clearInterval(touching);
    await unlink(path).catch(() => undefined);
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, describeProcess(), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** One process at a time: a second one would drop the lock that the first one has taken since. */
async function dropVoid(path: string): Promise<void> {
  if (!(await isVoid(path))) return;
  const turn = `${path}.turn`;
  if (await take(turn)) {
    if (await isVoid(path)) await unlink(path).catch(() => undefined);
    await unlink(turn).catch(() => undefined);
  } else if (await isVoid(turn)) {
    await unlink(turn).catch(() => undefined);
  }
}

async function isVoid(path: string): Promise<boolean> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    // Empty: its owner has made it and not written yet. Another text: of an older version.
    const isDead = text.startsWith('{') && text.endsWith('}') && isGone(text);
    return isDead || Date.now() - mtimeMs > VOID_MS;
  } catch {
    // Gone.
    return false;
  }
}
