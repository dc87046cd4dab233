import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { errorMessage, VlmoError } from '#errors.ts';
import { type VlmoConfig, vlmoConfigSchema } from './config.ts';
import { readSafetensorsHeader } from './safetensors.ts';
import { createWeights, ITC_HEADS, type Weights } from './weights.ts';

export const CONFIG_FILE = 'config.json';
export const WEIGHTS_FILE = 'model.safetensors';
export const PREPROCESSOR_FILE = 'preprocessor_config.json';

/** A model folder, opened but not loaded. */
export interface ModelFolder {
  /** Absolute path. */
  readonly path: string;
  /** What a person calls the model: the folder's name. */
  readonly name: string;
  readonly config: VlmoConfig;
  readonly weights: Weights;
  /** What the model can do, by the heads its checkpoint came with. */
  readonly heads: { readonly itc: boolean; readonly itcVl: boolean; readonly itm: boolean };
}

/** Opens a model folder. Throws MODEL_NOT_FOUND, or MODEL_INVALID where its parts do not fit together. */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
  const path = resolve(folder);
  const config = await readConfig(path);
  const tensors = await readSafetensorsHeader(join(path, WEIGHTS_FILE));
  const has = (name: string): boolean => tensors.has(name);
  return {
    path,
    name: basename(path),
    config,
    weights: createWeights(WEIGHTS_FILE, tensors),
    heads: {
      itc: has(`${ITC_HEADS.image}.weight`) && has(`${ITC_HEADS.text}.weight`),
      itcVl: has('itc_vl_image_proj.fc.weight') && has('itc_vl_text_proj.fc.weight'),
      itm: has('itm_score.fc.weight'),
    },
  };
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
    throw new VlmoError('MODEL_INVALID', `Cannot read model config "${file}": ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
