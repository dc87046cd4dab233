import { Piscina } from 'piscina';
import type { Provider } from '#devices/device.ts';
import { errorMessage, VlmoError } from '#errors.ts';
import type { Model } from '#model/model.ts';
// The lock that threads share a GPU by has to be there before they are.
import '#devices/gpu-lock.ts';
import type { InferenceResult, InferenceSetup, InferenceTask } from './protocol.ts';
import { UrgentFirst, urgent } from './urgent-first.ts';

/** Called with the indexes of texts that were cut, if there are some. */
type OnCut = (indexes: readonly number[]) => void;

export interface InferencePool extends AsyncDisposable {
  readonly threads: number;
  /**
   * Vectors of unit length [count, D], or the logits [B, 2] of a match. Throws what running the model throws;
   * WORKER_CRASHED where a thread died. `onCut` is told which texts were longer than the model reads.
   */
  run(task: InferenceTask, onCut?: OnCut): Promise<Float32Array>;
  /** As `run`, before every task that waits for a thread. */
  runUrgent(task: InferenceTask, onCut?: OnCut): Promise<Float32Array>;
}

export interface InferencePoolOptions {
  /** Threads with sessions of their own; all of them map the same weights. */
  readonly workers: number;
  /** Threads that each of those computes on. */
  readonly threadsPerWorker: number;
  /** What computes, as `resolveDevice` found it; default the CPU. */
  readonly provider?: Provider;
}

/** Starts the pool and proves that every thread can run. Throws what loading the model throws. */
export async function createInferencePool(
  model: Model,
  options: InferencePoolOptions,
): Promise<InferencePool> {
  const { provider = 'cpu' } = options;
  const prepared = await model.prepare();
  const setup: InferenceSetup = {
    modelPath: model.path,
    weightsFolder: prepared.folder,
    threads: options.threadsPerWorker,
    provider,
  };
  const pool = createPool('#workers/threads/inference.worker.ts', setup, options.workers);
  // As many tasks as idle threads: one goes to each.
  const onEach = (task: InferenceTask): Promise<unknown> =>
    Promise.all(Array.from({ length: options.workers }, () => embed(pool, task)));
  const close = async (): Promise<void> => {
    // Threads that end together would give back what they hold of a GPU together, out of turn.
    if (provider !== 'cpu') await onEach({ kind: 'release' }).catch(() => undefined);
    await pool.close();
    await prepared[Symbol.asyncDispose]();
  };
  try {
    await onEach({ kind: 'texts', texts: [''] });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    threads: options.workers,
    run: (task, onCut) => embed(pool, task, onCut),
    runUrgent: (task, onCut) => embed(pool, urgent(task), onCut),
    [Symbol.asyncDispose]: close,
  };
}

async function embed(pool: Piscina, task: InferenceTask, onCut?: OnCut): Promise<Float32Array> {
  const result = await pool.run(task).then(
    (value) => value as InferenceResult,
    (error: unknown) => {
      const received = `the end of its thread (${errorMessage(error)})`;
      throw new VlmoError('WORKER_CRASHED', `Cannot run the model: expected vectors, received ${received}`, {
        cause: error,
      });
    },
  );
  if (result.kind === 'failed') throw new VlmoError(result.error.code, result.error.message);
  if (result.cut.length > 0) onCut?.(result.cut);
  return result.vectors;
}

const YOUNG_GENERATION_MB = 4;

function createPool(entry: string, workerData: unknown, threads: number): Piscina {
  const pool = new Piscina({
    filename: import.meta.resolve(entry),
    workerData,
    minThreads: threads,
    maxThreads: threads,
    // The pipeline bounds what is in flight; an idle thread keeps its sessions.
    idleTimeout: Number.POSITIVE_INFINITY,
    recordTiming: false,
    taskQueue: new UrgentFirst(),
    stricterFIFO: true,
    // Pictures pass through as large buffers that are garbage at once: a small nursery frees them soon, a large one
    // lets hundreds of MB of them pile up first.
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  // An idle thread that dies takes no task with it, and Piscina starts another. Unheard, the event would end the process.
  pool.on('error', () => {});
  return pool;
}
