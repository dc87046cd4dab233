import { VlmoError } from '#errors.ts';
import { pictureSize } from '#pictures/picture-spec.ts';
import type { Model, ModelIdentity, PreparedWeights } from '../model.ts';
import type { TextEncoder } from '../tokenizer.ts';
import { pictureCosts } from './config.ts';
import { fileDigest } from './file-digest.ts';
import { type HubFolder, openHubFolder } from './folder.ts';
import { loadHubTokenizer } from './hub-tokenizer.ts';
import { loadHub } from './load-hub.ts';
import type { HubPlace } from './place.ts';
import { readScale } from './scale.ts';
import type { Tower } from './towers.ts';

/** Opens a folder of ONNX graphs: `config.json`, `preprocessor_config.json`, `tokenizer.json`, `onnx/`. Throws MODEL_INVALID. */
export async function openFamily(path: string): Promise<Model> {
  const folder = await openHubFolder(path);
  const { place, config, picture, rules, image, text } = folder;
  return {
    ...{ family: config.model_type, name: place.name, path: place.path, picture },
    dimensions: folder.dimensions,
    maxTokens: rules?.maxTokens ?? 0,
    embeds: [...(image ? (['image'] as const) : []), ...(text ? (['text'] as const) : [])],
    ...{ canEmbed: true, canMatch: false },
    ...pictureCosts(config, pictureSize(picture)),
    identity: identityOf(folder),
    requireEmbedding: () => {},
    requireMatching() {
      throw new VlmoError(
        'MODEL_HEAD_MISSING',
        `Cannot re-rank with model "${place.name}": expected one that reads a picture and a text together, received a dual encoder (${config.model_type}); --reranker FOLDER names one for any collection`,
      );
    },
    readScale: async () => (await readScale(folder))?.scale ?? 1,
    loadTokenizer: async () => (rules ? loadHubTokenizer(place.folder, rules) : NO_TEXTS),
    prepare: async () => nothingPrepared(place),
    load: (options) => loadHub(folder, options),
  };
}

/** No text is cut where none is read. */
const NO_TEXTS: TextEncoder = { encode: () => [], isCut: () => false };

/** onnxruntime reads weights where they lie. */
function nothingPrepared({ folder }: HubPlace): PreparedWeights {
  return { folder, [Symbol.asyncDispose]: async () => {} };
}

/** Everything that decides a vector beside the tokenizer's own file: two precisions of one model are two models. */
function identityOf(folder: HubFolder): ModelIdentity {
  const { place, config, picture, rules, image, text } = folder;
  const digestsOf = async (tower: Tower): Promise<unknown> => ({
    input: tower.input.name,
    output: tower.output.name,
    files: await Promise.all(tower.files.map((file) => fileDigest(file))),
  });
  return {
    config: { model_type: config.model_type, ...rules },
    tokenizerFolder: text ? place.folder : null,
    picture,
    digests: async () => ({
      ...(image && { image: await digestsOf(image) }),
      ...(text && { text: await digestsOf(text) }),
    }),
  };
}
