import { join } from 'node:path';
import type { PictureSpec } from '#pictures/picture-spec.ts';
import type { LoadedModel, Model, ModelOptions, PairScore } from '../model.ts';
import type { ModelPrecision, Precision } from '../precision.ts';
import { type MappedWeights, type PreparedWeights, prepareWeights } from '../prepare-weights.ts';
import { readSafetensorsHeader } from '../safetensors.ts';
import { loadTokenizer } from '../tokenizer.ts';
import { createWeights, WEIGHTS_FILE } from '../weights.ts';
import { patchGrid, type VlmoConfig } from './config.ts';
import { readContrastiveScale } from './contrastive-scale.ts';
import { type ModelFolder, openModelFolder } from './folder.ts';
import type { GraphKind } from './network.ts';
import type { Proof } from './prove-vlmo.ts';
import { requireHead } from './sessions.ts';
import { loadVlmo, type Vlmo } from './vlmo.ts';

/** Opens a VLMo as everybody beside this folder knows models. Throws MODEL_INVALID. */
export async function openFamily(path: string): Promise<Model> {
  const folder = await openModelFolder(path);
  const { config, heads, name, picture } = folder;
  return {
    ...{ family: config.model_type, name, path: folder.path, picture },
    dimensions: config.hidden_size,
    maxTokens: config.max_text_length,
    ...{ canEmbed: heads.itc, canMatch: heads.itm },
    macsPerPicture: macsPerPicture(config),
    activationBytes: activationBytes(config),
    embeds: heads.itc ? ['image', 'text'] : [],
    identity: { config, tokenizerFolder: folder.path, ...(isUsual(picture) ? {} : { picture }) },
    requireEmbedding: () => void requireHead(folder, 'image'),
    requireMatching() {
      requireHead(folder, 'fusion');
      return { pictureTokens: null, score: () => readPairScore(folder) };
    },
    readScale: () => readContrastiveScale(folder),
    loadTokenizer: () => loadTokenizer(folder.path, config.max_text_length),
    prepare: () => prepareWeights(folder),
    load: (options) => load(folder, options),
  };
}

/**
 * (logit[1] - logit[0]) + exp(logit_scale) * cosine. Both are log-likelihoods, one of the pair against no pair, one of the row
 * against other rows; training/README.md has what the sum finds. The published evaluation adds logit[1] and the cosine
 * itself, which then counts next to nothing beside logits.
 */
async function readPairScore(folder: ModelFolder): Promise<PairScore> {
  const scale = await readContrastiveScale(folder);
  return ({ apart, together }, cosine) => together - apart + scale * cosine;
}

/** What VLMo was trained with; a fingerprint holds it only where it is another one. */
function isUsual({ fit, crop, resample, mean, std }: PictureSpec): boolean {
  const isHalf = [...mean, ...std].every((value) => value === 0.5);
  return fit === 'squash' && crop === null && resample === 'bicubic' && isHalf;
}

async function load(folder: ModelFolder, options: ModelOptions): Promise<LoadedModel> {
  const { weightsFolder, ready = [], ...how } = options;
  const own = weightsFolder === undefined ? await prepareWeights(folder) : undefined;
  try {
    const weights = own ?? (await preparedIn(weightsFolder ?? ''));
    const graphs: readonly GraphKind[] = ready;
    return createLoaded(
      await loadVlmo(folder, { ...how, takesSamples: true, graphs, weights }),
      how.precision ?? 'f32',
      own,
    );
  } catch (error) {
    await own?.[Symbol.asyncDispose]();
    throw error;
  }
}

async function preparedIn(folder: string): Promise<MappedWeights> {
  const tensors = await readSafetensorsHeader(join(folder, WEIGHTS_FILE));
  return { folder, weights: createWeights(WEIGHTS_FILE, tensors) };
}

function createLoaded(vlmo: Vlmo, asked: Precision, own: PreparedWeights | undefined): LoadedModel {
  const { num_channels: channels, image_size: size } = vlmo.config;
  const samples = (data: Uint8Array, count: number) => ({ data, dims: [count, channels, ...size] });
  return {
    isCut: vlmo.tokenizer.isCut,
    precision: () => precisionOf(vlmo.proofs, asked),
    embedTexts: async (texts) => (await vlmo.embedTexts(texts)).data,
    embedPixels: async (pixels, count) => (await vlmo.embedImages(samples(pixels, count))).data,
    pairs: {
      matchPixels: async (pixels, count, texts) => (await vlmo.match(samples(pixels, count), texts)).logits,
    },
    async [Symbol.asyncDispose]() {
      await vlmo[Symbol.asyncDispose]();
      await own?.[Symbol.asyncDispose]();
    },
  };
}

/** A model of which one graph runs in 32 bits is called so. */
function precisionOf(proofs: readonly Proof[], asked: Precision): ModelPrecision {
  const reason = proofs.find((proof) => proof.reason !== null)?.reason ?? null;
  return { precision: reason === null ? asked : 'f32', reason };
}

/** Multiplications of one picture through the image expert: projections and attention, then the feed-forward layers. */
export function macsPerPicture(config: VlmoConfig): number {
  const { hidden_size: d, intermediate_size: f, num_hidden_layers: layers } = config;
  const n = tokensOfPicture(config);
  return layers * (4 * n * d * d + 2 * n * n * d + 2 * n * d * f);
}

/** Bytes of the largest values between two layers for one picture: hidden values, or attention scores. */
export function activationBytes(config: VlmoConfig): number {
  const { hidden_size: d, intermediate_size: f, num_attention_heads: heads } = config;
  const n = tokensOfPicture(config);
  return Float32Array.BYTES_PER_ELEMENT * Math.max(n * d, n * f, heads * n * n);
}

function tokensOfPicture(config: VlmoConfig): number {
  const [rows, columns] = patchGrid(config);
  return rows * columns + 1;
}
