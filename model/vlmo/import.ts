import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errorMessage, VlmoError } from '#errors.ts';
import { PREPROCESSOR_FILE } from '#pictures/picture-spec.ts';
import type { CheckpointArchive } from '../checkpoint/archive.ts';
import { openCheckpoint } from '../checkpoint/open-checkpoint.ts';
import type { PickledTensor } from '../checkpoint/pickle-values.ts';
import { encodeFloats, readTensor, streamTensor } from '../checkpoint/tensor-reader.ts';
import { writeWeights } from '../checkpoint/write-weights.ts';
import { CONFIG_FILE } from '../model.ts';
import { writeJson, writeNewFolder } from '../new-folder.ts';
import { TOKENIZER_FILE, tokenizerFromVocabulary } from '../tokenizer.ts';
import { WEIGHTS_FILE } from '../weights.ts';
import { patchGrid, type VlmoConfig } from './config.ts';
import { type ModelFolder, openModelFolder } from './folder.ts';
import { inferModel } from './infer-sizes.ts';
import { resizePositionEmbedding, resizeRelativeTable } from './interpolate.ts';
import { type Sizes, tensorShapes } from './shapes.ts';

export interface ImportOptions {
  /** BERT's `vocab.txt`. */
  readonly vocabulary: string;
  /** The folder to write; must not exist. */
  readonly out: string;
  /** Another picture size than the checkpoint's, in pixels, square; positions are interpolated. */
  readonly imageSize?: number | undefined;
  /** Attention heads, for a checkpoint that does not tell. */
  readonly heads?: number | undefined;
  readonly dtype: 'f32' | 'f16';
}

export interface ImportResult {
  readonly model: ModelFolder;
  /** Tensors of the checkpoint that the model does not need. */
  readonly ignored: readonly string[];
}

/**
 * Turns a PyTorch checkpoint of VLMo into a model folder. Weights pass through in pieces of a few MiB; the folder
 * appears whole or not at all. Throws CHECKPOINT_*, MODEL_EXISTS, MODEL_INPUT_INVALID.
 */
export async function importCheckpoint(checkpoint: string, options: ImportOptions): Promise<ImportResult> {
  const path = resolve(checkpoint);
  const { path: out, result: ignored } = await writeNewFolder(options.out, async (begin) => {
    await using opened = await openCheckpoint(path);
    const { archive, tensors } = opened;
    const shapes = new Map([...tensors].map(([name, tensor]) => [name, tensor.shape]));
    const { variant, sizes: original, parts } = inferModel(path, shapes, options.heads);
    const sizes = resizeFor(original, options.imageSize);
    const wanted = tensorShapes(sizes, parts);
    const tokenizer = await readVocabulary(options.vocabulary, sizes.vocab_size);
    const partial = await begin();
    const plan = { archive, tensors, original, sizes };
    const sha256 = await writeWeights(
      join(partial, WEIGHTS_FILE),
      { wanted, dtype: options.dtype },
      (name, dtype) => tensorBytesFor(plan, name, dtype),
    );
    const config: VlmoConfig = {
      model_type: 'vlmo',
      variant,
      ...sizes,
      dtype: options.dtype,
      weights_sha256: sha256,
    };
    await writeJson(join(partial, CONFIG_FILE), config);
    await writeJson(join(partial, TOKENIZER_FILE), tokenizer);
    await writeJson(join(partial, PREPROCESSOR_FILE), preprocessorConfig(sizes));
    return [...tensors.keys()].filter((name) => !wanted.has(name));
  });
  return { model: await openModelFolder(out), ignored };
}

async function readVocabulary(path: string, rows: number): Promise<object> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new VlmoError(
      'MODEL_INPUT_INVALID',
      `Cannot read vocabulary "${path}": expected BERT's vocab.txt, received ${errorMessage(error)}`,
      {
        cause: error,
      },
    );
  });
  const tokenizer = tokenizerFromVocabulary(path, text);
  const lines = text.replace(/\r?\n$/, '').split('\n').length;
  if (lines === rows) return tokenizer;
  throw new VlmoError(
    'MODEL_INPUT_INVALID',
    `Cannot use vocabulary "${path}": expected ${rows} lines, one for each word embedding of the checkpoint, received ${lines}`,
  );
}

function resizeFor(sizes: Sizes, imageSize: number | undefined): Sizes {
  if (imageSize === undefined) return sizes;
  const [patchHeight, patchWidth] = sizes.patch_size;
  if (imageSize % patchHeight === 0 && imageSize % patchWidth === 0 && imageSize > 0) {
    return { ...sizes, image_size: [imageSize, imageSize] };
  }
  throw new VlmoError(
    'MODEL_INPUT_INVALID',
    `Cannot import for pictures of ${imageSize} pixels: expected a multiple of the patch, ${patchHeight} x ${patchWidth}, received ${imageSize}`,
  );
}

interface WeightPlan {
  readonly archive: CheckpointArchive;
  readonly tensors: ReadonlyMap<string, PickledTensor>;
  readonly original: Sizes;
  readonly sizes: Sizes;
}

async function* tensorBytesFor(
  plan: WeightPlan,
  name: string,
  dtype: 'F32' | 'F16',
): AsyncGenerator<Uint8Array> {
  const { archive, original, sizes } = plan;
  const tensor = plan.tensors.get(name);
  if (!tensor) throw new Error(`No tensor "${name}" to write: this is a bug`);
  const [from, to] = [patchGrid(original), patchGrid(sizes)];
  const isResized = from.join() !== to.join();
  if (isResized && name === 'transformer.pos_embed') {
    yield encodeFloats(
      resizePositionEmbedding(await readTensor(archive, name, tensor), sizes.hidden_size, from, to),
      dtype,
    );
  } else if (isResized && name === 'relative_position_bias_table') {
    yield encodeFloats(
      resizeRelativeTable(await readTensor(archive, name, tensor), tensor.shape[1] ?? 0, to),
      dtype,
    );
  } else {
    yield* streamTensor(archive, name, tensor, dtype);
  }
}

/** The conventions of Hugging Face image processors, for other programs that open the folder. */
export function preprocessorConfig({ image_size: [height, width], num_channels: channels }: Sizes): object {
  const half = Array<number>(channels).fill(0.5);
  return {
    image_processor_type: 'ViTImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    size: { height, width },
    resample: 3,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: half,
    image_std: half,
  };
}
