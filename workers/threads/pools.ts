import type { Provider } from '#devices/device.ts';
import { createThreadPool, type ThreadPool } from '#devices/thread-pool.ts';
import { errorMessage, VlmoError } from '#errors.ts';
import type { Model } from '#model/model.ts';
import type { ModelPrecision, Precision } from '#model/precision.ts';
// The lock that threads share a GPU by has to be there before they are.
import '#devices/gpu-lock.ts';
import type { InferenceResult, InferenceSetup, InferenceTask } from './protocol.ts';
import { UrgentFirst, urgent } from './urgent-first.ts';

/** Called with the indexes of texts that were cut, if there are some. */
type OnCut = (indexes: readonly number[]) => void;

export interface InferencePool extends AsyncDisposable {
  readonly threads: number;
  /** What the model computes in, by its vectors' graphs. */
  readonly precision: ModelPrecision;
  /**
   * Vectors of unit length [count, D], or the logits [B, 2] of a match. Throws what running the model throws;
   * WORKER_CRASHED where a thread died, THREAD_UNAVAILABLE where none can be started again. `onCut` is told which texts were longer than the model reads.
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
  /** Which GPU of several. */
  readonly card?: number | undefined;
  /** Default f32. */
  readonly precision?: Precision | undefined;
}

/** Starts the pool and proves that every thread can run. Throws what loading the model throws. */
export async function createInferencePool(
  model: Model,
  options: InferencePoolOptions,
): Promise<InferencePool> {
  const { provider = 'cpu', card, precision = 'f32' } = options;
  const prepared = await model.prepare();
  const setup: InferenceSetup = {
    modelPath: model.path,
    weightsFolder: prepared.folder,
    threads: options.threadsPerWorker,
    provider,
    card,
    precision,
  };
  const pool = createThreadPool({
    entry: import.meta.resolve('#workers/threads/inference.worker.ts'),
    workerData: setup,
    threads: options.workers,
    taskQueue: new UrgentFirst(),
    // Pictures pass through as large buffers that are garbage at once: a small nursery frees them soon, a large one
    // lets hundreds of MB of them pile up first.
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
  // As many tasks as idle threads: one goes to each.
  const onEach = (task: InferenceTask): Promise<unknown> =>
    Promise.all(Array.from({ length: options.workers }, () => ask(pool, task)));
  const close = async (): Promise<void> => {
    // Threads that end together would give back what they hold of a GPU together, out of turn.
    if (provider !== 'cpu') await onEach({ kind: 'release' }).catch(() => undefined);
    await pool.close();
    await prepared[Symbol.asyncDispose]();
  };
  try {
    // A thread that cannot load the model says so to any task.
    await onEach(model.embeds.includes('text') ? { kind: 'texts', texts: [''] } : { kind: 'precision' });
    const found = required(await answerOf(pool, { kind: 'precision' })).precision;
    return { threads: options.workers, precision: found, ...createRuns(pool), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function createRuns(pool: ThreadPool): Pick<InferencePool, 'run' | 'runUrgent'> {
  return {
    run: (task, onCut) => embed(pool, task, onCut),
    runUrgent: (task, onCut) => embed(pool, urgent(task), onCut),
  };
}

/** As `ask`, of threads that have proved that they can run. */
async function embed(pool: ThreadPool, task: InferenceTask, onCut?: OnCut): Promise<Float32Array> {
  const result = await answerOf(pool, task);
  if (result.kind === 'unstarted') {
    const received = `an error (${result.error.message})`;
    throw new VlmoError(
      'THREAD_UNAVAILABLE',
      `Cannot start a thread again: expected it to load the model, received ${received}`,
    );
  }
  const { vectors, cut } = required(result);
  if (cut.length > 0) onCut?.(cut);
  return vectors;
}

async function ask(pool: ThreadPool, task: InferenceTask): Promise<void> {
  required(await answerOf(pool, task));
}

async function answerOf(pool: ThreadPool, task: InferenceTask): Promise<InferenceResult> {
  try {
    return (await pool.run(task)) as InferenceResult;
  } catch (error) {
    if (error instanceof VlmoError) throw error;
    const received = `the end of its thread (${errorMessage(error)})`;
    throw new VlmoError('WORKER_CRASHED', `Cannot run the model: expected vectors, received ${received}`, {
      cause: error,
    });
  }
}

function required(result: InferenceResult): Extract<InferenceResult, { kind: 'vectors' }> {
  if (result.kind !== 'vectors') throw new VlmoError(result.error.code, result.error.message);
  return result;
}

const YOUNG_GENERATION_MB = 4;
