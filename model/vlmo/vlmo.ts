import type { Provider } from '#devices/provider.ts';
import type { Precision } from '../precision.ts';
import type { MappedWeights } from '../prepare-weights.ts';
import { loadTokenizer, padTokens, type TextEncoder } from '../tokenizer.ts';
import type { VlmoConfig } from './config.ts';
import { type ModelFolder, openModelFolder } from './folder.ts';
import { feedsOf, type ModelInputs, type Samples, type Tensor, type TokenBatch } from './inputs.ts';
import type { GraphKind } from './network.ts';
import type { Proof } from './prove-vlmo.ts';
import { ProvenSessions } from './proven-sessions.ts';
import { requireHead } from './sessions.ts';

export interface MatchResult {
  /** Probability that picture and text belong together, 0 to 1 (softmax of the ITM head): [B]. */
  readonly probabilities: Float32Array;
  /** The ITM head's logits [B, 2]; column 1 means a match. */
  readonly logits: Float32Array;
}

/** A VLMo that is ready to run. Computing happens on the calling thread: use it from a worker in a server. */
export interface Vlmo extends AsyncDisposable {
  readonly folder: ModelFolder;
  readonly config: VlmoConfig;
  readonly tokenizer: TextEncoder;
  /** What each graph showed that was used so far, on a GPU or in 16 bits. */
  readonly proofs: readonly Proof[];
  /** Pictures [B, C, H, W], normalised, to visual tokens [B, L + 1, D] and a mask of ones [B, L + 1]. */
  visualEmbed(pixels: Tensor): Promise<{ readonly tokens: Tensor; readonly mask: Tensor }>;
  /** Pictures [B, C, H, W], normalised or as samples of 8 bits, to vectors of unit length [B, D]. */
  embedImages(pixels: Tensor | Samples): Promise<Tensor>;
  /** Texts to vectors of unit length [B, D]. */
  embedTexts(texts: readonly string[]): Promise<Tensor>;
  embedTokens(tokens: TokenBatch): Promise<Tensor>;
  /**
   * Reads the i-th picture and the i-th text together through the fusion encoder; one picture with each of several
   * texts, or one text with each of several pictures.
   */
  match(pixels: Tensor | Samples, texts: readonly string[]): Promise<MatchResult>;
  /** Any values of a graph, in 32 bits, by the checkpoint's module names, `transformer.blocks.3.mlp_imag.fc1` for example. */
  fetch(kind: GraphKind, inputs: ModelInputs, names: readonly string[]): Promise<Record<string, Tensor>>;
}

export interface LoadOptions {
  /** Threads that one run computes on; default all that the machine has. */
  readonly threads?: number;
  /** What computes, as `resolveDevice` found it; default the CPU. */
  readonly provider?: Provider;
  /** Which GPU of several. */
  readonly card?: number | undefined;
  /** How it computes; default f32. A graph whose answers in 16 bits are too far from those in 32 runs in 32. */
  readonly precision?: Precision | undefined;
  /** Whether the graphs that are made ready take pictures of 8 bits; default no. */
  readonly takesSamples?: boolean;
  /** Graphs to make ready now; others are made when first used. */
  readonly graphs?: readonly GraphKind[];
  /** Weights that another thread prepared already; they must stay where they are for as long as graphs are made. */
  readonly weights?: MappedWeights;
}

/**
 * Loads a model folder; on a GPU and in 16 bits each graph proves itself on known answers before it is used. Throws MODEL_NOT_FOUND,
 * MODEL_INVALID, DEVICE_WRONG; using a head it has not throws MODEL_HEAD_MISSING.
 */
export async function loadVlmo(model: string | ModelFolder, options: LoadOptions = {}): Promise<Vlmo> {
  const folder = typeof model === 'string' ? await openModelFolder(model) : model;
  const tokenizer = await loadTokenizer(folder.path, folder.config.max_text_length);
  const { threads = 0, provider = 'cpu', card, precision = 'f32', takesSamples = false } = options;
  const { graphs = [], weights } = options;
  for (const kind of graphs) requireHead(folder, kind);
  const how = { threads, provider, card, precision, takesSamples };
  const sessions = new ProvenSessions(folder, tokenizer, how, weights);
  try {
    await sessions.open(graphs);
    return createVlmo(folder, tokenizer, sessions);
  } catch (error) {
    await sessions.close();
    throw error;
  }
}

function createVlmo(folder: ModelFolder, tokenizer: TextEncoder, sessions: ProvenSessions): Vlmo {
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
    return sessions.fetch(kind, names, feeds);
  };
  const embed = async (kind: 'image' | 'text', inputs: ModelInputs): Promise<Tensor> => {
    requireHead(folder, kind);
    return sessions.main(kind, inputs);
  };
  return {
    folder,
    config,
    tokenizer,
    proofs: sessions.found,
    fetch,
    async visualEmbed(pixels) {
      const values = await fetch('image', { pixels }, ['visual_embed', 'visual_mask']);
      return { tokens: pick(values, 'visual_embed'), mask: pick(values, 'visual_mask') };
    },
    embedImages: (pixels) => embed('image', { pixels }),
    embedTexts: (texts) => embed('text', { tokens: tokenize(texts) }),
    embedTokens: (tokens) => embed('text', { tokens }),
    async match(pixels, texts) {
      requireHead(folder, 'fusion');
      const { data: logits } = await sessions.main('fusion', { pixels, tokens: tokenize(texts) });
      const probability = (_: unknown, i: number): number =>
        1 / (1 + Math.exp((logits[2 * i] ?? 0) - (logits[2 * i + 1] ?? 0)));
      return { logits, probabilities: Float32Array.from({ length: logits.length / 2 }, probability) };
    },
    [Symbol.asyncDispose]: () => sessions.close(),
  };
}

function pick(values: Record<string, Tensor>, name: string): Tensor {
  const value = values[name];
  if (!value) throw new Error(`The session gave no "${name}": this is a bug`);
  return value;
}
