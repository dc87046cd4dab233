import { basename, join, resolve } from 'node:path';
import { type PictureSpec, squashed } from '#pictures/picture-spec.ts';
import { checkTensors } from '../check-tensors.ts';
import { readSafetensorsHeader } from '../safetensors.ts';
import { createWeights, WEIGHTS_FILE, type Weights } from '../weights.ts';
import { type Beit3Config, readBeit3Config } from './config.ts';
import { tensorShapes } from './shapes.ts';

/** A folder that the import of a BEiT-3 wrote, opened but not loaded. */
export interface Beit3Folder {
  /** Absolute path. */
  readonly path: string;
  readonly name: string;
  readonly config: Beit3Config;
  readonly picture: PictureSpec;
  readonly weights: Weights;
}

/** Throws MODEL_INVALID. */
export async function openBeit3Folder(folder: string): Promise<Beit3Folder> {
  const path = resolve(folder);
  const config = await readBeit3Config(path);
  const tensors = await readSafetensorsHeader(join(path, WEIGHTS_FILE));
  checkTensors(path, tensors, tensorShapes(config), config.dtype === 'f32' ? 'F32' : 'F16');
  return {
    ...{ path, name: basename(path), config },
    picture: squashed([config.image_size, config.image_size], config.num_channels),
    weights: createWeights(WEIGHTS_FILE, tensors),
  };
}
