import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { VlmoError } from '#errors.ts';
import { halfToFloat } from '#float16.ts';
import { fileDigest } from '../hub/file-digest.ts';
import type { Model } from '../model.ts';
import { prepareWeights } from '../prepare-weights.ts';
import { WEIGHTS_FILE } from '../weights.ts';
import { type Beit3Config, pictureTokens } from './config.ts';
import { type Beit3Folder, openBeit3Folder } from './folder.ts';
import { loadBeit3, loadFolderPieces } from './load-beit3.ts';
import { PIECES_FILE } from './token-ids.ts';

/** Opens a BEiT-3 for retrieval. Throws MODEL_INVALID. */
export async function openFamily(path: string): Promise<Model> {
  const folder = await openBeit3Folder(path);
  const { config, name, picture } = folder;
  return {
    ...{ family: config.model_type, name, path: folder.path, picture, dimensions: config.hidden_size },
    maxTokens: config.max_text_length,
    ...{ embeds: ['image', 'text'], canEmbed: true, canMatch: false },
    ...pictureCosts(config),
    identity: {
      config,
      tokenizerFolder: null,
      picture,
      digests: async () => ({ pieces: await fileDigest(join(folder.path, PIECES_FILE)) }),
    },
    requireEmbedding: () => {},
    requireMatching() {
      throw new VlmoError(
        'MODEL_HEAD_MISSING',
        `Cannot re-rank with model "${name}": expected one that reads a picture and a text together, received a dual encoder (beit3); --reranker FOLDER names one for any collection`,
      );
    },
    readScale: () => readScale(folder),
    loadTokenizer: async () => loadFolderPieces(folder),
    prepare: () => prepareWeights(folder),
    load: (options) => loadBeit3(folder, options),
  };
}

/** exp(logit_scale), as the model learned it. */
async function readScale({ path, weights }: Beit3Folder): Promise<number> {
  const place = weights.tensors.get('logit_scale');
  if (!place) throw new Error('A BEiT-3 without logit_scale: this is a bug');
  await using file = await open(join(path, WEIGHTS_FILE));
  const bytes = new Uint8Array(place.length);
  await file.read(bytes, 0, place.length, place.offset);
  const [value = Number.NaN] =
    place.dtype === 'F32' ? new Float32Array(bytes.buffer) : halfToFloat(new Uint16Array(bytes.buffer));
  return Math.exp(value);
}

/** Multiplications of one picture, and bytes of its largest values between two layers. */
function pictureCosts(config: Beit3Config): Pick<Model, 'macsPerPicture' | 'activationBytes'> {
  const { hidden_size: d, intermediate_size: f, num_hidden_layers: layers } = config;
  const n = pictureTokens(config);
  return {
    macsPerPicture: layers * (4 * n * d * d + 2 * n * n * d + 2 * n * d * f),
    activationBytes: Float32Array.BYTES_PER_ELEMENT * n * Math.max(f, config.num_attention_heads * n),
  };
}
