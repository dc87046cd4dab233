import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { VlmoError } from '#errors.ts';
import { fileDigest } from '../hub/file-digest.ts';
import type { Model } from '../model.ts';
import { prepareWeights } from '../prepare-weights.ts';
import { TOKENIZER_FILE } from '../tokenizer.ts';
import { WEIGHTS_FILE } from '../weights.ts';
import { loadBlipTokenizer, maxTokens, VOCABULARY_FILE } from './blip-tokenizer.ts';
import { type BlipConfig, tokensOfPicture } from './config.ts';
import { type BlipFolder, openBlipFolder } from './folder.ts';
import { loadBlip } from './load-blip.ts';

/** Opens BLIP's ITM, `BlipForImageTextRetrieval` of Hugging Face: it reads pairs, and makes no vectors. Throws MODEL_INVALID. */
export async function openFamily(path: string): Promise<Model> {
  const folder = await openBlipFolder(path);
  const { config, name, picture } = folder;
  const { text_config: text, vision_config: vision } = config;
  const missing = (): VlmoError =>
    new VlmoError(
      'MODEL_HEAD_MISSING',
      `Cannot embed with model "${name}": expected one that makes vectors, received one that reads pairs alone (blip), for --reranker`,
    );
  return {
    ...{ family: config.model_type, name, path: folder.path, picture, dimensions: text.hidden_size },
    maxTokens: maxTokens(config),
    ...{ embeds: [], canEmbed: false, canMatch: true },
    ...pictureCosts(config),
    identity: await identityOf(folder),
    requireEmbedding() {
      throw missing();
    },
    requireMatching: () => ({
      pictureTokens: tokensOfPicture(config) * vision.hidden_size,
      // As the original evaluates: the logit of belonging together, and the cosine that the candidates were found by.
      score: async () => (logits, cosine) => logits.together + cosine,
    }),
    async readScale() {
      throw missing();
    },
    loadTokenizer: () => loadBlipTokenizer(folder.path, config),
    prepare: () => prepareWeights(folder),
    load: (options) => loadBlip(folder, options),
  };
}

/** Everything that decides the tokens of a picture and the logits of a pair. */
async function identityOf({ path, config, picture }: BlipFolder): Promise<Model['identity']> {
  const hasTokenizer = existsSync(join(path, TOKENIZER_FILE));
  return {
    config,
    tokenizerFolder: hasTokenizer ? path : null,
    picture,
    digests: async () => ({
      weights: await fileDigest(join(path, WEIGHTS_FILE)),
      ...(hasTokenizer ? {} : { vocabulary: await fileDigest(join(path, VOCABULARY_FILE)) }),
    }),
  };
}

/** Multiplications of one picture, and bytes of its largest values between two layers. */
function pictureCosts(config: BlipConfig): Pick<Model, 'macsPerPicture' | 'activationBytes'> {
  const { hidden_size: d, intermediate_size: f, num_hidden_layers: layers } = config.vision_config;
  const n = tokensOfPicture(config);
  return {
    macsPerPicture: layers * (4 * n * d * d + 2 * n * n * d + 2 * n * d * f),
    activationBytes:
      Float32Array.BYTES_PER_ELEMENT * n * Math.max(f, config.vision_config.num_attention_heads * n),
  };
}
