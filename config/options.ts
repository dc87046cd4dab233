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
  device: {
    schema: z.enum(['auto', 'cpu', 'webgpu', 'cuda']),
    default: 'auto',
    flag: '--device <device>',
    env: 'VLMO_DEVICE',
    sentence:
      'What computes: "cpu", "webgpu", "cuda", or "auto" for the fastest that works; one that is named and does not work is an error',
  },
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
    schema: z.union([z.literal('auto'), count(512)]),
    default: 'auto',
    flag: '--inference-workers <threads>',
    env: 'VLMO_INFERENCE_WORKERS',
    sentence:
      'Copies of the sessions that run side by side on one copy of the weights, 1 to 512; "auto": one a core, at most 8, and one on a GPU',
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
  decodeTimeout: {
    schema: count(3600),
    default: 60,
    flag: '--decode-timeout <seconds>',
    env: 'VLMO_DECODE_TIMEOUT',
    sentence: 'Longest that decoding one picture may take, 1 to 3600; then it is listed as failed',
  },
} as const satisfies OptionTable;

/** How jobs are made of a source (`vlmo submit`) and taken (`vlmo worker`). */
export const QUEUE_OPTIONS = {
  chunkItems: {
    schema: count(4096),
    default: 256,
    flag: '--chunk-items <items>',
    env: 'VLMO_CHUNK_ITEMS',
    sentence: 'Items of one job, 1 to 4096',
  },
  maxWaiting: {
    schema: count(10_000_000),
    default: 4096,
    flag: '--max-waiting <jobs>',
    env: 'VLMO_MAX_WAITING',
    sentence: 'Jobs that may wait in Redis before a submission waits too: what bounds its memory',
  },
  concurrency: {
    schema: count(256),
    default: 4,
    flag: '--concurrency <jobs>',
    env: 'VLMO_CONCURRENCY',
    sentence:
      'Jobs that a worker has in hand at a time, 1 to 256; more than one, so that the threads never wait',
  },
  drainTimeout: {
    schema: count(86_400),
    default: 30,
    flag: '--drain-timeout <seconds>',
    env: 'VLMO_DRAIN_TIMEOUT',
    sentence:
      'How long a worker that is told to stop goes on with what it has; the rest goes back to the queue',
  },
  lockDuration: {
    schema: count(3600),
    default: 30,
    flag: '--lock-duration <seconds>',
    env: 'VLMO_LOCK_DURATION',
    sentence: 'How long a job stays with a worker that gives no sign of life, before another one gets it',
  },
  logLevel: {
    schema: z.enum(['debug', 'info', 'warn', 'error']),
    default: 'info',
    flag: '--log-level <level>',
    env: 'VLMO_LOG_LEVEL',
    sentence: 'The least of what a worker logs: debug, info, warn or error',
  },
} as const satisfies OptionTable;

type OptionTable = Readonly<
  Record<string, OptionSpec<never> | OptionSpec<string> | OptionSpec<number> | OptionSpec<string | number>>
>;

/** All options there are, each under one name. */
export const ALL_OPTIONS = { ...INDEX_OPTIONS, ...QUEUE_OPTIONS };
type AllOptions = typeof ALL_OPTIONS;
export type OptionName = keyof AllOptions;
/** The configuration of the options of these names, frozen. */
export type Config<Name extends OptionName> = {
  readonly [Key in Name]: z.infer<AllOptions[Key]['schema']>;
};
