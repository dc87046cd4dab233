import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { errorMessage, VlmoError } from '#errors.ts';
import { type PictureSpec, pictureSize, readPictureSpec, squashed } from '#pictures/picture-spec.ts';
import { checkTensors } from '../check-tensors.ts';
import { CONFIG_FILE } from '../model.ts';
import { readSafetensorsHeader } from '../safetensors.ts';
import { createWeights, WEIGHTS_FILE, type Weights } from '../weights.ts';
import { type VlmoConfig, vlmoConfigSchema } from './config.ts';
import { findParts, tensorShapes } from './shapes.ts';

/** A model folder, opened but not loaded. */
export interface ModelFolder {
  /** Absolute path. */
  readonly path: string;
  /** What a person calls the model: the folder's name. */
  readonly name: string;
  readonly config: VlmoConfig;
  readonly picture: PictureSpec;
  readonly weights: Weights;
  /** What the model can do, by the heads its checkpoint came with. */
  readonly heads: { readonly itc: boolean; readonly itcVl: boolean; readonly itm: boolean };
}

/** Opens a model folder. Throws MODEL_NOT_FOUND, or MODEL_INVALID where its parts do not fit together. */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
  const path = resolve(folder);
  const config = await readConfig(path);
  const tensors = await readSafetensorsHeader(join(path, WEIGHTS_FILE));
  const parts = findParts((name) => tensors.has(name));
  checkTensors(path, tensors, tensorShapes(config, parts), config.dtype === 'f32' ? 'F32' : 'F16');
  return {
    path,
    name: basename(path),
    config,
    picture: await readPicture(path, config),
    weights: createWeights(WEIGHTS_FILE, tensors),
    // Matching reads the pooler's output.
    heads: { itc: parts.itc, itcVl: parts.itcVl, itm: parts.itm && parts.pooler },
  };
}

/** A folder without a word about pictures wants them as VLMo was trained. */
async function readPicture(
  path: string,
  { image_size: size, num_channels: channels }: VlmoConfig,
): Promise<PictureSpec> {
  const spec = (await readPictureSpec(path)) ?? squashed(size, channels);
  if (pictureSize(spec).join() === size.join() && spec.channels === channels) return spec;
  const received = `${pictureSize(spec).join(' x ')} with ${spec.channels} channels`;
  throw new VlmoError(
    'MODEL_INVALID',
    `Cannot open model "${path}": expected its pictures to be ${size.join(' x ')} with ${channels} channels, received ${received}`,
  );
}

async function readConfig(path: string): Promise<VlmoConfig> {
  const file = join(path, CONFIG_FILE);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new VlmoError(
      'MODEL_NOT_FOUND',
      `Cannot open model "${path}": expected a folder that "vlmo model import" wrote, received ${errorMessage(error)}`,
      { cause: error },
    );
  });
  try {
    return vlmoConfigSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot read model config "${file}": expected what "vlmo model import" wrote, received ${errorMessage(error)}`,
      {
        cause: error,
      },
    );
  }
}
