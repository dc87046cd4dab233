import PQueue from 'p-queue';
import type { Provider } from '#devices/device.ts';
import type { LoadedModel, Model } from '#model/model.ts';
import type { ModelPrecision, Precision } from '#model/precision.ts';
import { runTask } from '#model/run-task.ts';
import type { Runner } from '#model/runner.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import type { PreprocessMode } from '#pictures/preprocess.ts';
import { decodePictures } from '#workers/decode/decode-pictures.ts';
import { createPreprocessPool, type PreprocessPool } from '#workers/decode/preprocess-pool.ts';

export interface ThreadRunnerOptions {
  readonly provider: Provider;
  /** Which GPU of several. */
  readonly card?: number | undefined;
  /** How the model computes; default f32. */
  readonly precision?: Precision;
  /** Told once where it is not what was asked for. */
  readonly onPrecision?: (found: ModelPrecision) => void;
  /** The one that made the generation. */
  readonly preprocess: PreprocessMode;
  readonly maxPixels: number;
  readonly maxImageBytes: number;
  /** Seconds. */
  readonly decodeTimeout?: number;
  /** MiB that one picture may take. */
  readonly decodeMemory?: number;
  /** Threads that one run computes on; default all that the machine has. */
  readonly threads?: number;
}

/**
 * Runs a model on the thread that calls it, for one question: nothing else of that thread goes on meanwhile. Graphs are
 * made, and the one process that decodes is started, when they are first needed. Dispose of it when no run is under way.
 */
export function createThreadRunner(model: Model, options: ThreadRunnerOptions): Runner & AsyncDisposable {
  const { provider, card, precision, preprocess: mode, maxPixels, maxImageBytes } = options;
  const { decodeTimeout: timeoutSeconds = 60, decodeMemory: memoryMiB = 512, threads = 0 } = options;
  const setup = { spec: model.picture, mode, maxPixels, maxImageBytes, timeoutSeconds, memoryMiB };
  const pictureBytes = pictureValues(model.picture);
  /** One run after the other: they share the thread. */
  const runs = new PQueue({ concurrency: 1 });
  let isSaid = false;
  let decoder: PreprocessPool | undefined;
  let loading: Promise<LoadedModel> | undefined;
  const load = (): Promise<LoadedModel> => {
    loading ??= model.load({ threads, provider, card, precision });
    return loading;
  };
  return {
    ...{ model, threads: 1 },
    async decode(pictures, pixels, { signal } = {}) {
      signal?.throwIfAborted();
      decoder ??= createPreprocessPool(setup, 1);
      return decodePictures(decoder, pictures, pixels, false);
    },
    run(task, { signal } = {}) {
      return runs.add(async () => {
        signal?.throwIfAborted();
        const loaded = await load();
        signal?.throwIfAborted();
        const found = await runTask(loaded, task, pictureBytes);
        // Each kind of question is proven when it is first asked.
        const { reason } = loaded.precision();
        if (reason !== null && !isSaid) options.onPrecision?.(loaded.precision());
        isSaid ||= reason !== null;
        return found;
      });
    },
    async [Symbol.asyncDispose]() {
      await decoder?.[Symbol.asyncDispose]();
      await (await loading?.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}
