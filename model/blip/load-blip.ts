import ort from 'onnxruntime-node';
import type { LoadedModel, ModelOptions } from '../model.ts';
import { type Feeds, knownPicture, ProvenGraphs, pictureFeeds } from '../proven-graphs.ts';
import { padTokens } from '../tokenizer.ts';
import type { Weights } from '../weights.ts';
import { loadBlipTokenizer } from './blip-tokenizer.ts';
import { tokensOfPicture } from './config.ts';
import type { BlipFolder } from './folder.ts';
import { buildPairGraph, buildPictureGraph } from './network.ts';

/** Loads a model whose graphs are made, and on a GPU proven, when they are first used. Throws MODEL_INVALID, DEVICE_WRONG. */
export async function loadBlip(folder: BlipFolder, options: ModelOptions): Promise<LoadedModel> {
  const tokenizer = await loadBlipTokenizer(folder.path, folder.config);
  const graphs = new BlipGraphs(folder, options);
  const none = (): never => {
    throw new Error(`Model "${folder.name}" makes no vectors: this is a bug`);
  };
  return {
    isCut: tokenizer.isCut,
    // Its blocks are in 32 bits on every device.
    precision: () => ({ precision: 'f32', reason: null }),
    embedTexts: none,
    embedPixels: none,
    pairs: {
      readPictures: (pixels, count) => graphs.readPictures(pixels, count),
      matchTokens: (tokens, count, texts) =>
        graphs.matchTokens(tokens, count, padTokens(texts.map((text) => tokenizer.encode(text)))),
    },
    [Symbol.asyncDispose]: () => graphs.close(),
  };
}

/** Ids of texts [B, T], padded with 0. */
type TokenBatch = ReturnType<typeof padTokens>;

/** What another order of additions explains: tokens come out of a norm, logits are some units large. */
const BOUND = 1e-2;

/** The sessions of both graphs. */
export class BlipGraphs {
  readonly #folder: BlipFolder;
  readonly #graphs: ProvenGraphs<'picture' | 'pair'>;

  constructor(folder: BlipFolder, options: ModelOptions) {
    this.#folder = folder;
    const { config, picture } = folder;
    const graphs = {
      picture: {
        build: (weights: Weights) => buildPictureGraph(config, weights, picture),
        ...{ output: 'picture_tokens', what: "a value of a picture's tokens", bound: BOUND },
        known: () => knownPicture(picture),
      },
      pair: {
        build: (weights: Weights) => buildPairGraph(config, weights),
        ...{ output: 'itm_logits', what: 'a logit of a pair', bound: BOUND },
        known: () => this.#knownPair(),
      },
    };
    this.#graphs = new ProvenGraphs(folder, graphs, options);
  }

  /** Pictures of 8 bits [B, C, H, W] to their tokens [B, L, E]. */
  readPictures(pixels: Uint8Array, count: number): Promise<Float32Array> {
    return this.#graphs.run('picture', pictureFeeds(this.#folder.picture, pixels, count));
  }

  /** Tokens [B or 1, L, E] of `count` pictures and ids of texts, as many or one, to logits [B, 2]. */
  matchTokens(tokens: Float32Array, count: number, texts: TokenBatch): Promise<Float32Array> {
    return this.#graphs.run('pair', this.#pairFeeds(tokens, count, texts));
  }

  close(): Promise<void> {
    return this.#graphs.close();
  }

  #knownPair(): Feeds {
    const { text_config: text, vision_config: vision } = this.#folder.config;
    const length = tokensOfPicture(this.#folder.config) * vision.hidden_size;
    const tokens = Float32Array.from({ length }, (_, i) => Math.sin(i * (0.1 + i / 1e6)));
    // The second one is padded.
    const ids = [1, 2, 3, 1, 2, 0].map((id) => Math.min(id, text.vocab_size - 1));
    return this.#pairFeeds(tokens, 1, { ids: Int32Array.from(ids), length: 3 });
  }

  #pairFeeds(tokens: Float32Array, count: number, { ids, length }: TokenBatch): Feeds {
    const { config } = this.#folder;
    const dims = [count, tokensOfPicture(config), config.vision_config.hidden_size];
    return {
      picture_tokens: new ort.Tensor('float32', tokens, dims),
      input_ids: new ort.Tensor('int32', ids, [ids.length / length, length]),
    };
  }
}
