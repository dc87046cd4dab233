import ort from 'onnxruntime-node';
import { inTurn } from '#devices/gpu-lock.ts';
import { compareAnswers } from '#devices/known-answers.ts';
import type { Graph } from '#onnx/graph.ts';
import { pictureSize, pictureValues } from '#pictures/picture-spec.ts';
import { type GraphSessionOptions, openGraphSession } from '../graph-session.ts';
import type { LoadedModel, ModelOptions } from '../model.ts';
import { type MappedWeights, prepareWeights } from '../prepare-weights.ts';
import { readSafetensorsHeader } from '../safetensors.ts';
import { padTokens } from '../tokenizer.ts';
import { createWeights, WEIGHTS_FILE } from '../weights.ts';
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
type GraphKind = 'picture' | 'pair';
type Feeds = Readonly<Record<string, ort.Tensor>>;

const OUTPUTS = { picture: 'picture_tokens', pair: 'itm_logits' } as const;
/** What another order of additions explains: tokens come out of a norm, logits are some units large. */
const BOUNDS = { picture: 1e-2, pair: 1e-2 } as const;
const WHAT = { picture: "a value of a picture's tokens", pair: 'a logit of a pair' } as const;

/** The sessions of both graphs. */
export class BlipGraphs {
  readonly #folder: BlipFolder;
  readonly #options: GraphSessionOptions;
  readonly #weightsFolder: string | undefined;
  readonly #open = new Map<GraphKind, Promise<ort.InferenceSession>>();

  constructor(folder: BlipFolder, options: ModelOptions) {
    this.#folder = folder;
    const { threads, provider, card, weightsFolder } = options;
    this.#options = { threads, provider, card };
    this.#weightsFolder = weightsFolder;
  }

  /** Pictures of 8 bits [B, C, H, W] to their tokens [B, L, E]. */
  readPictures(pixels: Uint8Array, count: number): Promise<Float32Array> {
    return this.#run('picture', this.#pictureFeeds(pixels, count));
  }

  /** Tokens [B or 1, L, E] of `count` pictures and ids of texts, as many or one, to logits [B, 2]. */
  matchTokens(tokens: Float32Array, count: number, texts: TokenBatch): Promise<Float32Array> {
    return this.#run('pair', this.#pairFeeds(tokens, count, texts));
  }

  async close(): Promise<void> {
    for (const opening of this.#open.values()) {
      const session = await opening.catch(() => undefined);
      await inTurn(this.#options.provider, async () => session?.release());
    }
    this.#open.clear();
  }

  async #run(kind: GraphKind, feeds: Feeds): Promise<Float32Array> {
    const opening = this.#open.get(kind) ?? this.#make(kind);
    this.#open.set(kind, opening);
    // What could not be made may be tried again.
    opening.catch(() => this.#open.delete(kind));
    return this.#ask(kind, await opening, feeds, this.#options);
  }

  async #ask(
    kind: GraphKind,
    session: ort.InferenceSession,
    feeds: Feeds,
    { provider }: GraphSessionOptions,
  ): Promise<Float32Array> {
    const found = await inTurn(provider, () => session.run(feeds));
    const tensor = found[OUTPUTS[kind]];
    if (!tensor) throw new Error(`The session gave no "${OUTPUTS[kind]}": this is a bug`);
    return tensor.data as Float32Array;
  }

  async #make(kind: GraphKind): Promise<ort.InferenceSession> {
    const own = this.#weightsFolder === undefined ? await prepareWeights(this.#folder) : undefined;
    try {
      const mapped = own ?? (await preparedIn(this.#weightsFolder ?? ''));
      const graph = this.#graph(kind, mapped);
      const session = await openGraphSession(graph, mapped.folder, this.#options);
      if (this.#options.provider !== 'cpu') await this.#prove(kind, session, graph, mapped);
      return session;
    } finally {
      await own?.[Symbol.asyncDispose]();
    }
  }

  #graph(kind: GraphKind, { weights }: MappedWeights): Graph {
    const { config, picture } = this.#folder;
    return kind === 'picture' ? buildPictureGraph(config, weights, picture) : buildPairGraph(config, weights);
  }

  /** A device is believed when it gives what the CPU gives. */
  async #prove(
    kind: GraphKind,
    session: ort.InferenceSession,
    graph: Graph,
    { folder }: MappedWeights,
  ): Promise<void> {
    const onCpu = { threads: this.#options.threads, provider: 'cpu' } as const;
    const cpu = await openGraphSession(graph, folder, onCpu);
    try {
      const known = kind === 'picture' ? this.#knownPicture() : this.#knownPair();
      compareAnswers({
        device: this.#options.provider,
        what: WHAT[kind],
        expected: await this.#ask(kind, cpu, known, onCpu),
        received: await this.#ask(kind, session, known, this.#options),
        bound: BOUNDS[kind],
      });
    } catch (error) {
      await inTurn(this.#options.provider, () => session.release());
      throw error;
    } finally {
      await cpu.release();
    }
  }

  #knownPicture(): Feeds {
    const values = pictureValues(this.#folder.picture);
    const pixels = Uint8Array.from({ length: values }, (_, i) => 127 + 127 * Math.sin(i * (0.1 + i / 1e6)));
    return this.#pictureFeeds(pixels, 1);
  }

  #knownPair(): Feeds {
    const { text_config: text, vision_config: vision } = this.#folder.config;
    const length = tokensOfPicture(this.#folder.config) * vision.hidden_size;
    const tokens = Float32Array.from({ length }, (_, i) => Math.sin(i * (0.1 + i / 1e6)));
    // The second one is padded.
    const ids = [1, 2, 3, 1, 2, 0].map((id) => Math.min(id, text.vocab_size - 1));
    return this.#pairFeeds(tokens, 1, { ids: Int32Array.from(ids), length: 3 });
  }

  #pictureFeeds(pixels: Uint8Array, count: number): Feeds {
    const { picture } = this.#folder;
    const dims = [count, picture.channels, ...pictureSize(picture)];
    return { pixel_values: new ort.Tensor('uint8', pixels, dims) };
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

async function preparedIn(folder: string): Promise<MappedWeights> {
  const tensors = await readSafetensorsHeader(`${folder}/${WEIGHTS_FILE}`);
  return { folder, weights: createWeights(WEIGHTS_FILE, tensors) };
}
