import { availableParallelism } from 'node:os';
import type { Provider } from '#devices/device.ts';
import type { Model } from '#model/model.ts';
import type { Precision } from '#model/precision.ts';
import type { PreprocessMode } from '#pictures/preprocess.ts';
import { createPreprocessPool, type PreprocessPool } from '#workers/decode/preprocess-pool.ts';
import { openOnCards } from './card-pools.ts';
import { createInferencePool, type InferencePool } from './pools.ts';

export interface Pools extends AsyncDisposable {
  readonly preprocess: PreprocessPool;
  readonly inference: InferencePool;
}

export interface PoolsConfig {
  /** What computes, as `resolveDevice` found it; default the CPU. */
  readonly provider?: Provider;
  /** GPUs, where some are named: each has sessions of its own. */
  readonly cards?: readonly number[];
  /** How the model computes; default f32. */
  readonly precision?: Precision;
  readonly inferenceWorkers: number | 'auto';
  /** Processes. */
  readonly decodeThreads: number;
  readonly preprocess: PreprocessMode;
  readonly maxPixels: number;
  readonly maxImageBytes: number;
  /** Seconds. */
  readonly decodeTimeout: number;
  /** MiB that one picture may take. */
  readonly decodeMemory: number;
}

/** Both pools for one model. Throws what loading the model throws. */
export async function createPools(model: Model, config: PoolsConfig): Promise<Pools> {
  const { provider = 'cpu', precision, inferenceWorkers: workers } = config;
  const { preprocess: mode, maxPixels, maxImageBytes, decodeTimeout, decodeMemory } = config;
  const limits = { maxPixels, maxImageBytes, timeoutSeconds: decodeTimeout, memoryMiB: decodeMemory };
  const setup = { spec: model.picture, mode, ...limits };
  // First, so that a process starts while the model is loaded.
  const preprocess = createPreprocessPool(setup, config.decodeThreads);
  const { cards = [] } = config;
  const threads = workers === 'auto' ? threadsFor(provider, cards.length) : workers;
  const open = (card?: number): Promise<InferencePool> => {
    // Threads are spread over the cards, and each card has one at least.
    const each = Math.ceil(threads / Math.max(1, cards.length));
    return createInferencePool(model, { workers: each, threadsPerWorker: 1, provider, card, precision });
  };
  const inference = await (cards.length > 0 ? openOnCards(cards, open) : open()).catch(
    async (error: unknown) => {
      await preprocess[Symbol.asyncDispose]();
      throw error;
    },
  );
  return {
    preprocess,
    inference,
    async [Symbol.asyncDispose]() {
      await preprocess[Symbol.asyncDispose]();
      await inference[Symbol.asyncDispose]();
    },
  };
}

/** Beyond it memory is what limits, not cores. */
const MAX_THREADS = 8;

/**
 * A thread a core; on a GPU each holds the weights anew. With CUDA one hands its pictures over while the other computes, a third
 * of the rate; WebGPU works on one run at a time.
 */
function threadsFor(provider: Provider, cards: number): number {
  if (provider === 'cuda') return 2 * Math.max(1, cards);
  return provider === 'cpu' ? Math.min(availableParallelism(), MAX_THREADS) : 1;
}
