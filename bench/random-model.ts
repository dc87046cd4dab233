import { createHash } from 'node:crypto';
import { access, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layOutSafetensors } from '#model/safetensors.ts';
import { tokenizerFromVocabulary } from '#model/tokenizer.ts';
import { type Sizes, tensorShapes } from '#model/vlmo/shapes.ts';
import { VARIANTS } from '#model/vlmo/variants.ts';

/** A VLMo-base with random weights at 224 pixels: the arithmetic of the published one, without its download. */
export const BASE: Sizes = {
  ...VARIANTS.vlmo_base_patch16,
  image_size: [224, 224],
  patch_size: [16, 16],
  num_channels: 3,
  intermediate_size: 3072,
  vocab_size: 30_522,
  max_text_length: 40,
};

/** Writes the model folder under the temporary folder, once, and returns its path. */
export async function randomBaseModel(): Promise<string> {
  const folder = join(tmpdir(), 'vlmo-bench-base');
  if (
    await access(join(folder, 'config.json')).then(
      () => true,
      () => false,
    )
  )
    return folder;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const sha256 = await writeRandomWeights(join(partial, 'model.safetensors'));
  const config = {
    model_type: 'vlmo',
    variant: 'vlmo_base_patch16',
    ...BASE,
    dtype: 'f32',
    weights_sha256: sha256,
  };
  await writeFile(join(partial, 'config.json'), JSON.stringify(config));
  const words = Array.from({ length: BASE.vocab_size - 4 }, (_, i) => `w${i}`);
  const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', ...words].join('\n');
  await writeFile(
    join(partial, 'tokenizer.json'),
    JSON.stringify(tokenizerFromVocabulary('random', vocabulary)),
  );
  await rename(partial, folder);
  return folder;
}

async function writeRandomWeights(path: string): Promise<string> {
  const parts = {
    patchBias: true,
    positionEmbedding: false,
    relativeTable: true,
    layerScale: true,
    pooler: true,
    itc: true,
    itcVl: false,
    itm: true,
  };
  const specs = new Map(
    [...tensorShapes(BASE, parts)].map(([name, shape]) => [name, { dtype: 'F32', shape } as const]),
  );
  const { header, places } = layOutSafetensors(specs);
  const hash = createHash('sha256').update(header);
  await using file = await open(path, 'wx');
  await file.writeFile(header);
  const next = createRandom(1);
  for (const { length } of places.values()) {
    const values = new Float32Array(length / 4);
    for (let i = 0; i < values.length; i++) values[i] = (next() - 0.5) * 0.06;
    const bytes = new Uint8Array(values.buffer);
    hash.update(bytes);
    await file.writeFile(bytes);
  }
  return hash.digest('hex');
}

/** mulberry32: the same numbers on every machine, 0 to 1. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
