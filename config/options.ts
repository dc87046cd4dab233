import { availableParallelism } from 'node:os';
import { z } from 'zod';

/** One option of a run: what may be said, in which unit, and what holds when nothing is said. */
export interface OptionSpec<T> {
  readonly schema: z.ZodType<T>;
  readonly default: T;
  /** As commander reads it: `--flag <value>`. */
  readonly flag: string;
  /** Environment variable that sets it where the flag is not given. */
  readonly env: string;
  /** One sentence for help and docs. */
  readonly sentence: string;
}

/** A whole number, or a text that says one: flags and the environment are texts. */
const count = (most: number): z.ZodType<number> =>
  z.union([z.number(), z.string().trim().min(1).transform(Number)]).pipe(z.int().min(1).max(most));
const cores = availableParallelism();

/** How `vlmo index` works. */
export const INDEX_OPTIONS = {
  preprocess: {
    schema: z.enum(['reference', 'fast']),
    default: 'fast',
    flag: '--preprocess <mode>',
    env: 'VLMO_PREPROCESS',
    sentence:
      'How pictures are resized: "reference" (Pillow\'s bicubic, bit for bit) or "fast" (shrunk while decoding)',
  },
  batchSize: {
    schema: z.union([z.literal('auto'), count(4096)]),
    default: 'auto',
    flag: '--batch-size <pictures>',
    env: 'VLMO_BATCH_SIZE',
    sentence: 'Pictures of one run of the model, 1 to 4096; "auto" chooses by the model\'s size',
  },
  decodeThreads: {
    schema: count(512),
    default: cores,
    flag: '--decode-threads <threads>',
    env: 'VLMO_DECODE_THREADS',
    sentence: 'Threads that read, decode and resize pictures, 1 to 512; as many as cores',
  },
  inferenceWorkers: {
    schema: count(512),
    default: Math.min(cores, 8),
    flag: '--inference-workers <threads>',
    env: 'VLMO_INFERENCE_WORKERS',
    sentence:
      'Copies of the sessions that run side by side on one copy of the weights, 1 to 512; one a core, at most 8',
  },
  maxPixels: {
    schema: count(2 ** 31 - 1),
    default: 100_000_000,
    flag: '--max-pixels <pixels>',
    env: 'VLMO_MAX_PIXELS',
    sentence: 'Most pixels of a picture; a larger one is listed as failed before it is decoded',
  },
  maxImageBytes: {
    schema: count(2 ** 31 - 1),
    default: 256 * 1024 * 1024,
    flag: '--max-image-bytes <bytes>',
    env: 'VLMO_MAX_IMAGE_BYTES',
    sentence: 'Most bytes of a picture file; a larger one is listed as failed before it is read',
  },
} as const satisfies Record<
  string,
  OptionSpec<never> | OptionSpec<string> | OptionSpec<number> | OptionSpec<string | number>
>;

type Options = typeof INDEX_OPTIONS;
/** The configuration of an index run, frozen. */
export type IndexConfig = { readonly [Name in keyof Options]: z.infer<Options[Name]['schema']> };
export type OptionName = keyof Options;
