import type { Provider } from '#devices/provider.ts';
import type { PictureSpec } from '#pictures/picture-spec.ts';
import type { ModelPrecision, Precision } from './precision.ts';
import type { TextEncoder } from './tokenizer.ts';

/** The file of a model folder that says what it is. */
export const CONFIG_FILE = 'config.json';

/** What a model is, read off its folder: all that anybody beside the model itself has to know of it. */
export interface ModelInfo {
  /** `vlmo`, `clip`, `siglip`; by it `openModel` finds the code that runs it. */
  readonly family: string;
  /** What a person calls it: the folder's name. */
  readonly name: string;
  /** By it the model is opened again: an absolute path, with `:q4` behind it where a folder has graphs of several kinds. */
  readonly path: string;
  /** Values of a vector. */
  readonly dimensions: number;
  readonly picture: PictureSpec;
  /** Most tokens of a text, those that frame it included. */
  readonly maxTokens: number;
  /** What it makes vectors of: one side of a dual encoder may be missing. */
  readonly embeds: readonly ('image' | 'text')[];
  /** Whether it gives vectors, and whether it reads a picture and a text together. */
  readonly canEmbed: boolean;
  readonly canMatch: boolean;
  /** Multiplications of embedding one picture. */
  readonly macsPerPicture: number;
  /** Bytes of the largest values between two layers for one picture. */
  readonly activationBytes: number;
}

/** A model folder, opened but not loaded. */
export interface Model extends ModelInfo {
  /** What decides its vectors beside tokenizer and preprocessing mode; see `fingerprint`. */
  readonly identity: ModelIdentity;
  /** Throw MODEL_HEAD_MISSING, which says which checkpoints can. */
  requireEmbedding(): void;
  requireMatching(): Matching;
  /** What the model multiplied cosines by when it learned, so that they became logits. Throws MODEL_HEAD_MISSING. */
  readScale(): Promise<number>;
  /** How texts become ids. Throws MODEL_INVALID. */
  loadTokenizer(): Promise<TextEncoder>;
  /** Weights in the form that sessions of all threads map; to be disposed of when no more are made. */
  prepare(): Promise<PreparedWeights>;
  load(options: ModelOptions): Promise<LoadedModel>;
}

/** How a model reads a picture and a text together. */
export interface Matching {
  /**
   * Values of what it makes of a picture once, to read it with any text; null where it reads pixels and text in one step.
   */
  readonly pictureTokens: number | null;
  /** What rows are put in order by. */
  score(): Promise<PairScore>;
}

/** What the head for pairs says of one: logits of belonging apart and together. */
export interface PairLogits {
  readonly apart: number;
  readonly together: number;
}

/** By logits and cosine of a pair: the higher, the better it fits. */
export type PairScore = (logits: PairLogits, cosine: number) => number;

export interface ModelIdentity {
  /** What its config says: only what it has always said, since another key would be another model. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The folder that its tokenizer lies in; null for one that takes no texts. */
  readonly tokenizerFolder: string | null;
  /** Digests of files that config says nothing of. */
  readonly digests?: () => Promise<Readonly<Record<string, unknown>>>;
  /** What it wants of pictures, where that is not what its family always wants. */
  readonly picture?: PictureSpec;
}

export interface PreparedWeights extends AsyncDisposable {
  /** Where they lie. */
  readonly folder: string;
}

export interface ModelOptions {
  /** Threads that one run computes on; 0 for all that the machine has. */
  readonly threads: number;
  /** What computes, as `resolveDevice` found it. */
  readonly provider: Provider;
  /** Which GPU of several. */
  readonly card?: number | undefined;
  /** Default f32. */
  readonly precision?: Precision | undefined;
  /** Where weights lie that another thread has prepared; left out, they are prepared when they are first needed. */
  readonly weightsFolder?: string | undefined;
  /** Graphs to make ready now; others are made when they are first used. */
  readonly ready?: readonly ('image' | 'text')[];
}

/** A model that is ready to run, on the calling thread. */
export interface LoadedModel extends AsyncDisposable {
  /** Whether the model does not read a text to its end. */
  readonly isCut: (text: string) => boolean;
  /** How it computes, by what has been used so far. */
  precision(): ModelPrecision;
  /** Texts to vectors of unit length [B, D]. */
  embedTexts(texts: readonly string[]): Promise<Float32Array>;
  /** `count` pictures of 8 bits [B, C, H, W] to vectors of unit length [B, D]. */
  embedPixels(pixels: Uint8Array, count: number): Promise<Float32Array>;
  /** How it reads pairs; what it lacks of `Matching` is left out. */
  readonly pairs?: LoadedPairs;
}

/**
 * Reads pictures and texts together: as many of one as of the other, or one. Logits [B, 2] of belonging apart and together.
 */
export interface LoadedPairs {
  /** In one step. */
  readonly matchPixels?: (
    pixels: Uint8Array,
    count: number,
    texts: readonly string[],
  ) => Promise<Float32Array>;
  /** In two steps: `count` pictures of 8 bits [B, C, H, W] to their tokens [B, L, E], */
  readonly readPictures?: (pixels: Uint8Array, count: number) => Promise<Float32Array>;
  /** and the tokens of `count` pictures with texts. */
  readonly matchTokens?: (
    tokens: Float32Array,
    count: number,
    texts: readonly string[],
  ) => Promise<Float32Array>;
}
