import type { ErrorData } from '#errors.ts';
import type { PictureSpec } from '#pictures/picture-spec.ts';
import type { PreprocessMode } from '#pictures/preprocess.ts';

/** What decode processes are told and answer. Pixels go through a shared file: a message carries only that they are there. */

/** How pictures are decoded. */
export interface PreprocessSetup {
  readonly spec: PictureSpec;
  readonly mode: PreprocessMode;
  readonly maxPixels: number;
  readonly maxImageBytes: number;
  /** Longest that one picture may take; 60 where it is left out. */
  readonly timeoutSeconds?: number;
  /** Most memory that one picture may take, above what the process holds when it is idle; 512 where it is left out. */
  readonly memoryMiB?: number;
}

/** One picture to read, hash and, unless its content is known, decode. */
export interface PictureTask {
  readonly uri: string;
  /** Its content, where it is not to be read from `uri`, which then only names it. */
  readonly bytes?: Uint8Array;
  /** Digest of the content stored under its id. */
  readonly storedSha256: string | null;
  /** Decode it also where its content is stored, if an earlier version read such pictures otherwise. */
  readonly verify?: boolean | undefined;
  /** Digest of the content that failed before, where it is not to be tried again. */
  readonly failedSha256: string | null;
}

export interface PreprocessTask {
  /** Pictures side by side, [slot, C, H, W] of 8 bits. */
  readonly pixels: SharedArrayBuffer;
  /** Where the first picture that succeeds goes; the next ones follow. */
  readonly firstSlot: number;
  readonly pictures: readonly PictureTask[];
}

/** How one picture of a task went. */
export type PictureOutcome =
  | ({ readonly kind: 'ready'; readonly slot: number } & ReadyPicture)
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'known-failure' }
  | { readonly kind: 'failed'; readonly error: ErrorData; readonly sha256: string | null };

interface ReadyPicture {
  readonly width: number;
  readonly height: number;
  readonly format: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** What every decode process knows. */
export type DecodeSetup = Required<PreprocessSetup>;

export interface DecodeRequest {
  /** Counts the pictures of a process. */
  readonly number: number;
  readonly picture: PictureTask;
}

/** Replies come in the order of the requests; the pixels of a ready picture are in the file by then. */
export type DecodeReply =
  | ({ readonly kind: 'ready' } & ReadyPicture)
  | Exclude<PictureOutcome, { readonly kind: 'ready' }>
  /** The process ends itself: the picture that it decodes takes too much. */
  | { readonly kind: 'out-of-memory' };

/** The first message of a process: it takes pictures, or why not. */
export type DecoderGreeting = { readonly ready: true } | { readonly error: ErrorData };

/** What a process is started with. */
export interface DecoderSetup {
  readonly decode: DecodeSetup;
  /** Descriptor of the shared file. */
  readonly pixelFile: number;
}
