import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { errorMessage, VlmoError } from '#errors.ts';
import { modelFolder } from './bundled.ts';
import { parseHubPlace } from './hub/place.ts';
import { CONFIG_FILE, type Model } from './model.ts';

/** The code of each family of models, by the `model_type` of its config. */
const FAMILIES: Readonly<Record<string, () => Promise<{ openFamily(folder: string): Promise<Model> }>>> = {
  vlmo: () => import('./vlmo/family.ts'),
  clip: () => import('./hub/family.ts'),
  siglip: () => import('./hub/family.ts'),
  beit3: () => import('./beit3/family.ts'),
  blip: () => import('./blip/family.ts'),
};

const typed = z.object({ model_type: z.string() });

/**
 * Opens a model folder, of several graphs those of `FOLDER:q4`, or by the name "demo" the model that comes with the package. Throws MODEL_NOT_FOUND, or MODEL_INVALID where its parts do not fit together.
 */
export async function openModel(folder: string): Promise<Model> {
  const path = resolve(modelFolder(folder));
  const place = parseHubPlace(path);
  const text = await readFile(join(place.folder, CONFIG_FILE), 'utf8').catch((cause: unknown) => {
    const message = `Cannot open model "${path}": expected a folder that "vlmo model import" wrote, received ${errorMessage(cause)}`;
    throw new VlmoError('MODEL_NOT_FOUND', message, { cause });
  });
  const family = FAMILIES[typeOf(place.folder, text)];
  if (family) return (await family()).openFamily(path);
  throw invalid(
    place.folder,
    `a "model_type" of ${Object.keys(FAMILIES).join(', ')}`,
    typeOf(place.folder, text),
  );
}

function typeOf(path: string, config: string): string {
  try {
    return typed.parse(JSON.parse(config)).model_type;
  } catch (error) {
    throw invalid(path, 'what "vlmo model import" wrote', errorMessage(error), error);
  }
}

function invalid(path: string, expected: string, received: string, cause?: unknown): VlmoError {
  return new VlmoError(
    'MODEL_INVALID',
    `Cannot read model config "${join(path, CONFIG_FILE)}": expected ${expected}, received ${received}`,
    { cause },
  );
}
