import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { VlmoError } from '#errors.ts';
import type { LoadedModel, ModelOptions } from '../model.ts';
import { type Feeds, type GraphSpec, knownPicture, ProvenGraphs, pictureFeeds } from '../proven-graphs.ts';
import type { TextEncoder } from '../tokenizer.ts';
import type { Beit3Folder } from './folder.ts';
import { buildPictureGraph, buildTextGraph } from './network.ts';
import { loadPieces, PAD_ID, PIECES_FILE } from './token-ids.ts';

/** What another order of additions explains, in a vector of unit length. */
const BOUND = 1e-3;
const KNOWN_IDS = [[0, 2], [0, 3, 3, 2], [0]];

/** How a folder makes ids of texts. Throws MODEL_INVALID. */
export function loadFolderPieces({ path, config }: Beit3Folder): TextEncoder {
  try {
    return loadPieces(join(path, PIECES_FILE), config.vocab_size, config.max_text_length);
  } catch (error) {
    if (!(error instanceof VlmoError)) throw error;
    throw new VlmoError('MODEL_INVALID', error.message, { cause: error });
  }
}

/** Loads a model whose graphs are made, and on a GPU proven, when they are first used, or at once those of `ready`. Throws MODEL_INVALID, DEVICE_WRONG. */
export async function loadBeit3(folder: Beit3Folder, options: ModelOptions): Promise<LoadedModel> {
  const pieces = loadFolderPieces(folder);
  const towers = createTowers(folder, options);
  try {
    for (const kind of options.ready ?? []) await towers.open(kind);
  } catch (error) {
    await towers.close();
    throw error;
  }
  return {
    isCut: pieces.isCut,
    // Its layers are in 32 bits on every device.
    precision: () => ({ precision: 'f32', reason: null }),
    embedTexts: async (texts) =>
      texts.length === 0
        ? new Float32Array()
        : towers.run('text', textFeeds(texts.map((text) => pieces.encode(text)))),
    embedPixels: (pixels, count) => towers.run('image', pictureFeeds(folder.picture, pixels, count)),
    [Symbol.asyncDispose]: () => towers.close(),
  };
}

type Towers = ProvenGraphs<'image' | 'text'>;

function createTowers(folder: Beit3Folder, options: ModelOptions): Towers {
  const { config, picture } = folder;
  const image: GraphSpec = {
    build: (weights) => buildPictureGraph(config, weights, picture),
    ...{ output: 'image_embedding', what: 'a value of a vector of image', bound: BOUND },
    known: () => knownPicture(picture),
  };
  const text: GraphSpec = {
    build: (weights) => buildTextGraph(config, weights),
    ...{ output: 'text_embedding', what: 'a value of a vector of text', bound: BOUND },
    known: () => textFeeds(KNOWN_IDS),
  };
  return new ProvenGraphs(folder, { image, text }, options);
}

/** Rows of ids, each padded to the longest. */
function textFeeds(rows: readonly (readonly number[])[]): Feeds {
  const length = Math.max(...rows.map((row) => row.length));
  const ids = new Int32Array(rows.length * length).fill(PAD_ID);
  rows.forEach((row, i) => {
    ids.set(row, i * length);
  });
  return { input_ids: new ort.Tensor('int32', ids, [rows.length, length]) };
}
