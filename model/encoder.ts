import { cut } from '#batches.ts';
import { toErrorData, VlmoError } from '#errors.ts';
import { isolateFailures } from '#isolate-failures.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import type { ModelInfo } from './model.ts';
import type { PictureInput, Runner, RunOptions } from './runner.ts';

/** What makes vectors of pictures and texts. */
export interface Encoder {
  readonly model: ModelInfo;
  /** Runs of the model side by side. */
  readonly threads: number;
  /** Texts to vectors of unit length [B, D]. Throws what running the model throws. */
  embedTexts(texts: readonly string[], options?: RunOptions): Promise<Float32Array>;
  /** Pictures to vectors of unit length [D] each; for one that cannot be read or embedded, why not. */
  embedPictures(
    pictures: readonly PictureInput[],
    options?: RunOptions,
  ): Promise<readonly (Float32Array | VlmoError)[]>;
}

/** An encoder of what runs the model: this thread, or the pools. `batchSize` is of pictures in one run. */
export function createEncoder(runner: Runner, batchSize = 1): Encoder {
  const { model } = runner;
  return {
    ...{ model, threads: runner.threads },
    embedTexts: (texts, options) => runner.run({ kind: 'texts', texts }, options),
    async embedPictures(pictures, options) {
      const batches = cut([...pictures.keys()], batchSize);
      const found: (Float32Array | VlmoError)[] = [];
      await Promise.all(
        batches.map(async (places) => {
          const some = places.map((i) => pictures[i] as PictureInput);
          (await embedBatch(runner, some, options)).forEach((result, i) => {
            found[places[i] as number] = result;
          });
        }),
      );
      return found;
    },
  };
}

async function embedBatch(
  runner: Runner,
  pictures: readonly PictureInput[],
  options?: RunOptions,
): Promise<readonly (Float32Array | VlmoError)[]> {
  const bytes = pictureValues(runner.model.picture);
  const pixels = new SharedArrayBuffer(pictures.length * bytes);
  const decoded = await runner.decode(pictures, pixels, options);
  const count = decoded.filter((one) => !(one instanceof VlmoError)).length;
  const run = async (some: readonly number[]): Promise<(Float32Array | VlmoError)[]> => {
    const [first = 0] = some;
    // A lone picture is copied out: a batch begins where its buffer begins.
    const own = some.length === count ? pixels : pixels.slice(first * bytes, (first + 1) * bytes);
    const vectors = await runner.run({ kind: 'images', pixels: own, count: some.length }, options);
    const width = vectors.length / some.length;
    return some.map((_, i) => vectors.subarray(i * width, (i + 1) * width));
  };
  const vectors =
    count === 0
      ? []
      : await isolateFailures([...Array(count).keys()], run, (_, error) => failed(error, options));
  return decoded.map((one) => (one instanceof VlmoError ? one : (vectors[one.slot] as Float32Array)));
}

/** Work that was told to stop has not failed. */
function failed(error: unknown, options?: RunOptions): VlmoError {
  options?.signal?.throwIfAborted();
  if (error instanceof VlmoError) return error;
  const { code, message } = toErrorData(error, 'INFERENCE_FAILED');
  return new VlmoError(code, message, { cause: error });
}
