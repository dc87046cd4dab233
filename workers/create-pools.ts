import type { ModelFolder } from '#model/folder.ts';
import type { PreprocessMode } from '#model/preprocess/preprocess.ts';
import {
  createInferencePool,
  createPreprocessPool,
  type InferencePool,
  type PreprocessPool,
} from './pools.ts';

export interface Pools extends AsyncDisposable {
  readonly preprocess: PreprocessPool;
  readonly inference: InferencePool;
}

export interface PoolsConfig {
  readonly inferenceWorkers: number;
  readonly decodeThreads: number;
  readonly preprocess: PreprocessMode;
  readonly maxPixels: number;
  readonly maxImageBytes: number;
  /** Seconds. */
  readonly decodeTimeout: number;
}

/** Both pools for one model. Throws what loading the model throws. */
export async function createPools(model: ModelFolder, config: PoolsConfig): Promise<Pools> {
  const inference = await createInferencePool(model, {
    workers: config.inferenceWorkers,
    threadsPerWorker: 1,
  });
  const { preprocess: mode, maxPixels, maxImageBytes, decodeTimeout: timeoutSeconds } = config;
  const setup = { spec: model.config, mode, maxPixels, maxImageBytes, timeoutSeconds };
  const preprocess = createPreprocessPool(setup, config.decodeThreads);
  return {
    preprocess,
    inference,
    async [Symbol.asyncDispose]() {
      await preprocess[Symbol.asyncDispose]();
      await inference[Symbol.asyncDispose]();
    },
  };
}
