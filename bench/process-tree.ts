import type { ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

const LOOK_EVERY_MS = 200;

/**
 * Watches the memory of a process and of all below it until it ends: the largest sum of their proportional set sizes, in
 * bytes, which counts what they share once.
 */
export function watchTree(child: ChildProcess): { stop(): number } {
  let peak = 0;
  let isLooking = false;
  const look = async (root: number): Promise<void> => {
    isLooking = true;
    peak = Math.max(peak, await sizeOfTree(root));
    isLooking = false;
  };
  const timer = setInterval(() => {
    if (!isLooking && child.pid !== undefined) void look(child.pid);
  }, LOOK_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}

async function sizeOfTree(root: number): Promise<number> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    parents.set(Number(name), Number(stat.split(') ').at(-1)?.split(' ')[1]));
  }
  const isBelow = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
      if (at === root) return true;
    return false;
  };
  const sizes = [...parents.keys()].filter(isBelow).map(sizeOf);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function sizeOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  return 1024 * Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
}
