import { join, resolve } from 'node:path';
import { VlmoError } from '#errors.ts';
import { type PictureSpec, pictureSize, readPictureSpec } from '#pictures/picture-spec.ts';
import { checkTensors } from '../check-tensors.ts';
import { parseHubPlace } from '../hub/place.ts';
import { readSafetensorsHeader } from '../safetensors.ts';
import { createWeights, WEIGHTS_FILE, type Weights } from '../weights.ts';
import { type BlipConfig, readBlipConfig } from './config.ts';
import { tensorShapes } from './shapes.ts';

/** A folder of Hugging Face's `BlipForImageTextRetrieval`, opened but not loaded. */
export interface BlipFolder {
  /** Absolute path. */
  readonly path: string;
  readonly name: string;
  readonly config: BlipConfig;
  readonly picture: PictureSpec;
  /** Those that are read, all of one type. */
  readonly weights: Weights;
}

/** Opens a folder with `config.json`, `preprocessor_config.json` and `model.safetensors`. Throws MODEL_INVALID. */
export async function openBlipFolder(folder: string): Promise<BlipFolder> {
  const path = resolve(folder);
  const config = await readBlipConfig(path);
  const picture = await readPicture(path, config);
  const all = await readSafetensorsHeader(join(path, WEIGHTS_FILE));
  const shapes = tensorShapes(config);
  const [first = ''] = shapes.keys();
  checkTensors(path, all, shapes, all.get(first)?.dtype ?? 'F32');
  const tensors = new Map([...all].filter(([name]) => shapes.has(name)));
  return {
    path,
    name: parseHubPlace(path).name,
    config,
    picture,
    weights: createWeights(WEIGHTS_FILE, tensors),
  };
}

async function readPicture(
  path: string,
  { vision_config: { image_size: side, num_channels: channels } }: BlipConfig,
): Promise<PictureSpec> {
  const spec = await readPictureSpec(path);
  const wanted = `pictures of ${side} x ${side} with ${channels} channels`;
  if (!spec) throw invalid(path, `a preprocessor_config.json for ${wanted}`, 'none');
  if (pictureSize(spec).every((size) => size === side) && spec.channels === channels) return spec;
  throw invalid(path, wanted, `${pictureSize(spec).join(' x ')} with ${spec.channels} channels`);
}

function invalid(path: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'MODEL_INVALID',
    `Cannot open model "${path}": expected ${expected}, received ${received}`,
  );
}
