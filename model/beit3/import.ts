import { copyFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { openCheckpoint } from '../checkpoint/open-checkpoint.ts';
import { streamTensor } from '../checkpoint/tensor-reader.ts';
import { writeWeights } from '../checkpoint/write-weights.ts';
import { CONFIG_FILE } from '../model.ts';
import { writeJson, writeNewFolder } from '../new-folder.ts';
import { WEIGHTS_FILE } from '../weights.ts';
import type { Beit3Config } from './config.ts';
import { type Beit3Folder, openBeit3Folder } from './folder.ts';
import { inferSizes, tensorShapes } from './shapes.ts';
import { loadPieces, PIECES_FILE } from './token-ids.ts';

export interface Beit3ImportOptions {
  /** SentencePiece's model, `beit3.spm`. */
  readonly spm: string;
  /** The folder to write; must not exist. */
  readonly out: string;
  /** Attention heads; left out, as many as are 64 wide. */
  readonly heads?: number | undefined;
  readonly dtype: 'f32' | 'f16';
}

/**
 * Turns a checkpoint of a BEiT-3 for retrieval into a model folder, which appears whole or not at all. Throws CHECKPOINT_*,
 * MODEL_EXISTS, MODEL_INPUT_INVALID.
 */
export async function importBeit3(
  checkpoint: string,
  options: Beit3ImportOptions,
): Promise<{ readonly model: Beit3Folder; readonly ignored: readonly string[] }> {
  const path = resolve(checkpoint);
  const out = await writeNewFolder(options.out, async (begin) => {
    await using opened = await openCheckpoint(path);
    const { archive, tensors } = opened;
    const shapes = new Map([...tensors].map(([name, tensor]) => [name, tensor.shape]));
    const sizes = inferSizes(path, shapes, options.heads);
    const wanted = tensorShapes(sizes);
    loadPieces(options.spm, sizes.vocab_size, sizes.max_text_length);
    const partial = await begin();
    const weights_sha256 = await writeWeights(
      join(partial, WEIGHTS_FILE),
      { wanted, dtype: options.dtype },
      (name, dtype) => {
        const tensor = tensors.get(name);
        if (!tensor) throw new Error(`No tensor "${name}" to write: this is a bug`);
        return streamTensor(archive, name, tensor, dtype);
      },
    );
    const config: Beit3Config = { model_type: 'beit3', ...sizes, dtype: options.dtype, weights_sha256 };
    await writeJson(join(partial, CONFIG_FILE), config);
    await copyFile(options.spm, join(partial, PIECES_FILE));
    return [...tensors.keys()].filter((name) => !wanted.has(name));
  });
  return { model: await openBeit3Folder(out.path), ignored: out.result };
}
