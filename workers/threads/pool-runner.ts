import type { Model } from '#model/model.ts';
import type { Runner } from '#model/runner.ts';
import { decodePictures } from '#workers/decode/decode-pictures.ts';
import type { Pools } from './create-pools.ts';

/** Runs a model on the threads of the pools. Sessions that read pairs are made when they are first needed. */
export function createPoolRunner(
  model: Model,
  { preprocess, inference }: Pick<Pools, 'preprocess' | 'inference'>,
): Runner {
  return {
    ...{ model, threads: inference.threads },
    async decode(pictures, pixels, { priority, signal } = {}) {
      signal?.throwIfAborted();
      return decodePictures(preprocess, pictures, pixels, priority === 'bulk');
    },
    async run(task, { priority, signal, onCut } = {}) {
      signal?.throwIfAborted();
      return priority === 'bulk' ? inference.run(task, onCut) : inference.runUrgent(task, onCut);
    },
  };
}
