import type { Provider } from '#devices/provider.ts';
import { loadTokenizer, padTokens, type TextEncoder } from '../tokenizer.ts';
import type { VlmoConfig } from './config.ts';
import { type ModelFolder, openModelFolder } from './folder.ts';
import { feedsOf, type ModelInputs, type Tensor, type TokenBatch } from './inputs.ts';
import type { GraphKind } from './network.ts';
import type { MappedWeights } from './prepare-weights.ts';
import { proveVlmo } from './prove-vlmo.ts';
import { requireHead, Sessions } from './sessions.ts';

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
  /** The largest difference from the CPU that its known answers had; 0 on the CPU. */
  readonly difference: number;
  /** Pictures [B, C, H, W], normalised, to visual tokens [B, L + 1, D] and a mask of ones [B, L + 1]. */
  visualEmbed(pixels: Tensor): Promise<{ readonly tokens: Tensor; readonly mask: Tensor }>;
  /** Pictures [B, C, H, W], normalised, to vectors of unit length [B, D]. */
  embedImages(pixels: Tensor): Promise<Tensor>;
  /** Texts to vectors of unit length [B, D]. */
  embedTexts(texts: readonly string[]): Promise<Tensor>;
  embedTokens(tokens: TokenBatch): Promise<Tensor>;
  /**
   * Reads the i-th picture and the i-th text together through the fusion encoder; one picture with each of several
   * texts, or one text with each of several pictures.
   */
  match(pixels: Tensor, texts: readonly string[]): Promise<MatchResult>;
  /** Any values of a graph by the checkpoint's module names, `transformer.blocks.3.mlp_imag.fc1` for example. */
  fetch(kind: GraphKind, inputs: ModelInputs, names: readonly string[]): Promise<Record<string, Tensor>>;
}

export interface LoadOptions {
  /** Threads that one run computes on; default all that the machine has. */
  readonly threads?: number;
  /** What computes, as `resolveDevice` found it; default the CPU. */
  readonly provider?: Provider;
  /** Graphs to make ready now; others are made when first used. */
  readonly graphs?: readonly GraphKind[];
  /** Weights that another thread prepared already; they must stay where they are for as long as graphs are made. */
  readonly weights?: MappedWeights;
}

/**
 * Loads a model folder; on a GPU the graphs to make ready prove themselves on known answers. Throws MODEL_NOT_FOUND,
 * MODEL_INVALID, DEVICE_WRONG; using a head it has not throws MODEL_HEAD_MISSING.
 */
export async function loadVlmo(model: string | ModelFolder, options: LoadOptions = {}): Promise<Vlmo> {
  const folder = typeof model === 'string' ? await openModelFolder(model) : model;
  const tokenizer = await loadTokenizer(folder.path, folder.config.max_text_length);
  const { provider = 'cpu', graphs = [] } = options;
  const sessions = new Sessions(folder, { threads: options.threads ?? 0, provider }, options.weights);
  await sessions.open(graphs.map((kind) => [kind, [requireHead(folder, kind)]]));
  const vlmo = createVlmo(folder, tokenizer, sessions);
  if (provider === 'cpu') return vlmo;
  try {
    const onCpu = () => loadVlmo(folder, { ...options, provider: 'cpu' });
    return { ...vlmo, difference: await proveVlmo(vlmo, provider, graphs, onCpu) };
  } catch (error) {
    await sessions.close();
    throw error;
  }
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
    difference: 0,
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
      const { data: logits } = pick(await fetch('fusion', { pixels, tokens }, [name]), name);
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
