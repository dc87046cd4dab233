import { readdir } from 'node:fs/promises';
import type { Worker } from 'node:worker_threads';

/** The threads that this process starts from now on, as they live. */
export function watchThreads(): { readonly alive: ReadonlySet<Worker>; started(): number } & Disposable {
  const alive = new Set<Worker>();
  let count = 0;
  const started = (worker: Worker): void => {
    count += 1;
    alive.add(worker);
    worker.once('exit', () => alive.delete(worker));
  };
  process.on('worker', started);
  return { alive, started: () => count, [Symbol.dispose]: () => process.off('worker', started) };
}

/** The files of prepared weights that this process has in memory. */
export async function preparedWeights(): Promise<string[]> {
  return (await readdir('/dev/shm')).filter((name) => name.startsWith(`vlmo-weights-${process.pid}-`));
}
