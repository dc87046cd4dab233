import { readFile, unlink, writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

const POLL_MS = 20;

/** Does a step while no other process of this machine does one under the same lock. A lock of a dead process is void. */
export async function withLock<T>(path: string, step: () => Promise<T>): Promise<T> {
  while (!(await take(path))) {
    await dropStale(path);
    await setTimeout(POLL_MS);
  }
  try {
    return await step();
  } finally {
    await unlink(path).catch(() => undefined);
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function dropStale(path: string): Promise<void> {
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  // Empty: its owner has made it and not written yet.
  if (pid > 0 && !isAlive(pid)) await unlink(path).catch(() => undefined);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
