import { setTimeout } from 'node:timers/promises';
import { getEnvironmentData, isMainThread, setEnvironmentData, threadId } from 'node:worker_threads';
import type { Provider } from './provider.ts';

/**
 * onnxruntime's WebGPU provider has one device for the whole process and no lock on it: two threads that run on it at
 * the same time end the process (microsoft/onnxruntime issue 32561). So threads take turns, whatever they compute.
 */

const KEY = 'vlmo gpu turn';
const FREE = 0;
/** Thread ids begin at 0, which is free. */
const SELF = threadId + 1;

const lock = new Int32Array(sharedLock());
/** Within a thread, one after the other: a thread that waits for itself would wait for ever. */
let queue: Promise<unknown> = Promise.resolve();

/** The lock of the process: made by its main thread, inherited by the threads that start afterwards. */
function sharedLock(): SharedArrayBuffer {
  const inherited = getEnvironmentData(KEY);
  if (inherited instanceof SharedArrayBuffer) return inherited;
  const made = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  setEnvironmentData(KEY, made);
  if (isMainThread) process.on('worker', (worker) => freeWhenGone(worker.threadId, worker));
  return made;
}

/** A thread that ends in its turn, out of memory for example, must not keep it. */
function freeWhenGone(id: number, worker: NodeJS.EventEmitter): void {
  worker.once('exit', () => {
    if (Atomics.compareExchange(lock, 0, id + 1, FREE) === id + 1) Atomics.notify(lock, 0);
  });
}

/** Makes, runs or releases a session while no other thread does so on the same GPU. */
export function inTurn<T>(provider: Provider, work: () => Promise<T>): Promise<T> {
  if (provider !== 'webgpu') return work();
  const turn = queue.then(async () => {
    await take();
    try {
      return await work();
    } finally {
      Atomics.store(lock, 0, FREE);
      Atomics.notify(lock, 0, 1);
    }
  });
  queue = turn.catch(() => undefined);
  return turn;
}

async function take(): Promise<void> {
  for (;;) {
    const holder = Atomics.compareExchange(lock, 0, FREE, SELF);
    if (holder === FREE) return;
    // The main thread has to hear of threads that end; the others have nothing else to do.
    if (isMainThread) await setTimeout(1);
    else Atomics.wait(lock, 0, holder);
  }
}
