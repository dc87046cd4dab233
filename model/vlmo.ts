import ort from 'onnxruntime-node';
import { VlmoError } from '#errors.ts';
import type { VlmoConfig } from './config.ts';
import { type ModelFolder, openModelFolder } from './folder.ts';
import type { GraphKind } from './network.ts';
import { type MappedWeights, prepareWeights } from './prepare-weights.ts';
import { createSession } from './session.ts';
import { loadTokenizer, padTokens, type TextEncoder } from './tokenizer.ts';

/** Numbers with their shape, row by row. */
export interface Tensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Token ids of a batch of texts [B, T], padded with 0. */
export interface TokenBatch {
  readonly ids: Int32Array;
  readonly length: number;
}

export interface MatchResult {
  /** Probability that picture and text belong together, 0 to 1 (softmax of the ITM head): [B]. */
  readonly probabilities: Float32Array;
  /** The ITM head's logits [B, 2]; column 1 means a match. */
  readonly logits: Float32Array;
}

/** What a graph is fed: pictures, texts, or both for the fusion encoder. */
export interface ModelInputs {
  readonly pixels?: Tensor;
  readonly tokens?: TokenBatch;
}

/** A VLMo that is ready to run. Computing happens on the calling thread: use it from a worker in a server. */
export interface Vlmo extends AsyncDisposable {
  readonly folder: ModelFolder;
  readonly config: VlmoConfig;
  readonly tokenizer: TextEncoder;
  /** Pictures [B, C, H, W], normalised, to visual tokens [B, L + 1, D] and a mask of ones [B, L + 1]. */
  visualEmbed(pixels: Tensor): Promise<{ readonly tokens: Tensor; readonly mask: Tensor }>;
  /** Pictures [B, C, H, W], normalised, to vectors of unit length [B, D]. */
  embedImages(pixels: Tensor): Promise<Tensor>;
  /** Texts to vectors of unit length [B, D]. */
  embedTexts(texts: readonly string[]): Promise<Tensor>;
  embedTokens(tokens: TokenBatch): Promise<Tensor>;
  /** Reads the i-th picture and the i-th text together through the fusion encoder. */
  match(pixels: Tensor, texts: readonly string[]): Promise<MatchResult>;
  /** Any values of a graph by the checkpoint's module names, `transformer.blocks.3.mlp_imag.fc1` for example. */
  fetch(kind: GraphKind, inputs: ModelInputs, names: readonly string[]): Promise<Record<string, Tensor>>;
}

export interface LoadOptions {
  /** Threads that one run computes on; default all that the machine has. */
  readonly threads?: number;
  /** Graphs to make ready now; others are made when first used. */
  readonly graphs?: readonly GraphKind[];
  /** Weights that another thread prepared already. */
  readonly weights?: MappedWeights;
}

const MAIN_OUTPUTS = { image: 'image_embedding', text: 'text_embedding', fusion: 'itm_logits' } as const;

/** Loads a model folder. Throws MODEL_NOT_FOUND, MODEL_INVALID; using a head it has not throws MODEL_HEAD_MISSING. */
export async function loadVlmo(model: string | ModelFolder, options: LoadOptions = {}): Promise<Vlmo> {
  const folder = typeof model === 'string' ? await openModelFolder(model) : model;
  const tokenizer = await loadTokenizer(folder.path, folder.config.max_text_length);
  const sessions = new Sessions(folder, options.threads ?? 0);
  await sessions.open(
    (options.graphs ?? []).map((kind) => [kind, [requireHead(folder, kind)]]),
    options.weights,
  );
  return createVlmo(folder, tokenizer, sessions);
}

function createVlmo(folder: ModelFolder, tokenizer: TextEncoder, sessions: Sessions): Vlmo {
  const { config } = folder;
  const tokenize = (texts: readonly string[]): TokenBatch =>
    padTokens(texts.map((text) => tokenizer.encode(text)));
  const fetch = async (
    kind: GraphKind,
    inputs: ModelInputs,
    names: readonly string[],
  ): Promise<Record<string, Tensor>> => {
    const feeds = feedsOf(config, inputs);
    if (names.length === 0) return {};
    return sessions.run(kind, names, feeds);
  };
  const embed = async (kind: 'image' | 'text', inputs: ModelInputs): Promise<Tensor> => {
    const name = requireHead(folder, kind);
    return pick(await fetch(kind, inputs, [name]), name);
  };
  return {
    folder,
    config,
    tokenizer,
    fetch,
    async visualEmbed(pixels) {
      const values = await fetch('image', { pixels }, ['visual_embed', 'visual_mask']);
      return { tokens: pick(values, 'visual_embed'), mask: pick(values, 'visual_mask') };
    },
    embedImages: (pixels) => embed('image', { pixels }),
    embedTexts: (texts) => embed('text', { tokens: tokenize(texts) }),
    embedTokens: (tokens) => embed('text', { tokens }),
    async match(pixels, texts) {
      const name = requireHead(folder, 'fusion');
      const tokens = tokenize(texts);
      if (pixels.dims[0] !== texts.length) {
        throw invalidInput(
          'match pictures with texts',
          'as many of one as of the other',
          `${pixels.dims[0]} and ${texts.length}`,
        );
      }
      const { data: logits } = pick(await fetch('fusion', { pixels, tokens }, [name]), name);
      const probability = (_: unknown, i: number): number =>
        1 / (1 + Math.exp((logits[2 * i] ?? 0) - (logits[2 * i + 1] ?? 0)));
      return { logits, probabilities: Float32Array.from({ length: texts.length }, probability) };
    },
    [Symbol.asyncDispose]: () => sessions.close(),
  };
}

/** The main output of a graph, if the checkpoint came with the head that computes it. */
function requireHead({ name, heads }: ModelFolder, kind: GraphKind): string {
  const head = kind === 'fusion' ? 'itm' : 'itc';
  if (heads[head]) return MAIN_OUTPUTS[kind];
  const hint =
    head === 'itm'
      ? 'an ITM head ("itm_score"), which pre-training checkpoints such as vlmo_base_patch16_224.pt have'
      : 'ITC heads ("itc_image_proj" and "itc_text_proj")';
  throw new VlmoError(
    'MODEL_HEAD_MISSING',
    `Cannot run model "${name}": expected ${hint}, received a checkpoint without`,
  );
}

function feedsOf(config: VlmoConfig, { pixels, tokens }: ModelInputs): Record<string, ort.Tensor> {
  const feeds: Record<string, ort.Tensor> = {};
  if (pixels) {
    checkPixels(config, pixels);
    feeds.pixel_values = new ort.Tensor('float32', pixels.data, pixels.dims);
  }
  if (tokens) {
    checkTokens(config, tokens);
    const rows = tokens.ids.length / tokens.length;
    if (pixels && pixels.dims[0] !== rows) {
      throw invalidInput(
        'read pictures and texts together',
        'as many of one as of the other',
        `${pixels.dims[0]} and ${rows}`,
      );
    }
    feeds.input_ids = new ort.Tensor('int32', tokens.ids, [rows, tokens.length]);
  }
  return feeds;
}

function checkPixels(
  { num_channels: channels, image_size: [height, width] }: VlmoConfig,
  { data, dims }: Tensor,
): void {
  const [batch = 0, c, h, w] = dims;
  const expected = `pictures of ${channels} x ${height} x ${width} (channels, height, width)`;
  if (dims.length !== 4 || c !== channels || h !== height || w !== width) {
    throw invalidInput('embed pictures', expected, dims.slice(1).join(' x '));
  }
  if (batch < 1 || data.length !== batch * channels * height * width) {
    throw invalidInput('embed pictures', `${batch} ${expected}`, `${data.length} numbers`);
  }
}

function checkTokens(config: VlmoConfig, { ids, length }: TokenBatch): void {
  if (length < 1 || length > config.max_text_length || ids.length === 0 || ids.length % length !== 0) {
    throw invalidInput(
      'embed texts',
      `rows of 1 to ${config.max_text_length} token ids`,
      `${ids.length} ids in rows of ${length}`,
    );
  }
  const wrong = ids.find((id) => id < 0 || id >= config.vocab_size);
  if (wrong !== undefined)
    throw invalidInput('embed texts', `token ids below ${config.vocab_size}`, String(wrong));
}

function pick(values: Record<string, Tensor>, name: string): Tensor {
  const value = values[name];
  if (!value) throw new Error(`The session gave no "${name}": this is a bug`);
  return value;
}

function invalidInput(action: string, expected: string, received: string): VlmoError {
  return new VlmoError('MODEL_INPUT_INVALID', `Cannot ${action}: expected ${expected}, received ${received}`);
}

/** The sessions of one model, by graph and outputs. */
class Sessions {
  readonly #folder: ModelFolder;
  readonly #threads: number;
  readonly #open = new Map<string, ort.InferenceSession>();
  /** Sessions are made one call after the other: two first runs at once would make, and leak, the same session. */
  #opening: Promise<void> = Promise.resolve();

  constructor(folder: ModelFolder, threads: number) {
    this.#folder = folder;
    this.#threads = threads;
  }

  open(
    graphs: readonly (readonly [GraphKind, readonly string[]])[],
    prepared?: MappedWeights,
  ): Promise<void> {
    const turn = this.#opening.then(() => this.#create(graphs, prepared));
    this.#opening = turn.catch(() => {});
    return turn;
  }

  async #create(
    graphs: readonly (readonly [GraphKind, readonly string[]])[],
    prepared?: MappedWeights,
  ): Promise<void> {
    const missing = graphs.filter(([kind, outputs]) => !this.#open.has(keyOf(kind, outputs)));
    if (missing.length === 0) return;
    const own = prepared ? undefined : await prepareWeights(this.#folder);
    try {
      for (const [kind, outputs] of missing) {
        if (this.#open.has(keyOf(kind, outputs))) continue; // asked for twice
        const weights = prepared ?? (own as MappedWeights);
        const session = await createSession(kind, outputs, this.#folder.config, weights, {
          threads: this.#threads,
        });
        this.#open.set(keyOf(kind, outputs), session);
      }
    } finally {
      await own?.[Symbol.asyncDispose]();
    }
  }

  /** Graphs to make along with another one: each call of open widens float16 weights into a copy of its own. */
  #companions(): (readonly [GraphKind, readonly string[]])[] {
    const { config, heads } = this.#folder;
    if (config.dtype === 'f32') return [];
    const kinds = [
      ...(heads.itc ? (['image', 'text'] as const) : []),
      ...(heads.itm ? (['fusion'] as const) : []),
    ];
    return kinds.map((kind) => [kind, [MAIN_OUTPUTS[kind]]]);
  }

  async run(
    kind: GraphKind,
    outputs: readonly string[],
    feeds: Record<string, ort.Tensor>,
  ): Promise<Record<string, Tensor>> {
    if (!this.#open.has(keyOf(kind, outputs))) await this.open([[kind, outputs], ...this.#companions()]);
    const session = this.#open.get(keyOf(kind, outputs));
    if (!session) throw new Error(`No session for the ${kind} graph: this is a bug`);
    const results = await session.run(feedsFor(session, kind, feeds));
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
    );
  }

  async close(): Promise<void> {
    await this.#opening;
    for (const session of this.#open.values()) await session.release();
    this.#open.clear();
  }
}

/** Of what was given, the inputs that the asked values are computed from. */
function feedsFor(
  session: ort.InferenceSession,
  kind: GraphKind,
  feeds: Record<string, ort.Tensor>,
): Record<string, ort.Tensor> {
  const wanted = session.inputNames.map((name) => {
    const feed = feeds[name];
    if (feed) return [name, feed] as const;
    const given = Object.keys(feeds).join(', ') || 'nothing';
    throw invalidInput(`run the ${kind} graph`, `"${name}"`, given);
  });
  return Object.fromEntries(wanted);
}

function keyOf(kind: GraphKind, outputs: readonly string[]): string {
  return `${kind} ${outputs.join(' ')}`;
}
