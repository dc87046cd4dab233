import { availableParallelism } from 'node:os';
import { deviceType } from './device-type.ts';
import { choice, either, type OptionSpec, text, wholeNumber } from './option.ts';

/** What computes, and how much at a time. */
export const COMPUTE_OPTIONS = {
  device: {
    flag: '--device <device>',
    type: deviceType,
    default: 'auto',
    sentence:
      'What computes; "auto" is the fastest that works, one that is named and does not work is an error, and "cuda:all" takes all cards',
  },
  precision: {
    flag: '--precision <precision>',
    type: choice('auto', 'f32', 'f16'),
    default: 'auto',
    sentence:
      'How the model computes; "auto" is "f16" with CUDA and "f32" elsewhere, and where answers in 16 bits are too far from those in 32, "f32"',
  },
  preprocess: {
    flag: '--preprocess <mode>',
    type: choice('reference', 'fast'),
    default: 'fast',
    sentence:
      'How pictures are resized: "reference" (Pillow\'s bicubic, bit for bit) or "fast" (shrunk while decoding)',
  },
  batchSize: {
    flag: '--batch-size <pictures>',
    type: either(choice('auto'), wholeNumber(1, 4096)),
    default: 'auto',
    sentence: 'Pictures of one run of the model; "auto" chooses by the model\'s size',
  },
  decodeThreads: {
    flag: '--decode-threads <processes>',
    type: wholeNumber(1, 512),
    default: Math.min(16, Math.max(1, availableParallelism() - 2)),
    defaultWords: 'two less than cores, 1 to 16',
    sentence: 'Processes that read, decode and resize pictures, a thread each',
  },
  inferenceWorkers: {
    flag: '--inference-workers <threads>',
    type: either(choice('auto'), wholeNumber(1, 512)),
    default: 'auto',
    sentence:
      'Copies of the sessions that run side by side on one copy of the weights; "auto": one a core, at most 8, two a card with CUDA, one with WebGPU',
  },
  reranker: {
    flag: '--reranker <folder>',
    type: text,
    sentence:
      "A model folder that reads hits again with --rerank, whatever model made their vectors; left out, the collection's own model does, where it can",
  },
  rerankerMemory: {
    flag: '--reranker-memory <bytes>',
    type: wholeNumber(0),
    default: 512 * 1024 * 1024,
    sentence:
      'Memory that the reranker may take for what it has made of pictures; the ones not asked for longest go first',
  },
  rerankerCache: {
    flag: '--reranker-cache <folder>',
    type: text,
    sentence:
      'A folder in which the reranker keeps what it has made of pictures, so that the next process need not; some 2 MB a picture',
  },
  maxPixels: {
    flag: '--max-pixels <pixels>',
    type: wholeNumber(1, 2 ** 31 - 1),
    default: 50_000_000,
    sentence: 'Most pixels of a picture; a larger one fails before it is decoded',
  },
  maxImageBytes: {
    flag: '--max-image-bytes <bytes>',
    type: wholeNumber(1, 2 ** 31 - 1),
    default: 256 * 1024 * 1024,
    sentence: 'Most bytes of a picture file; a larger one fails before it is read',
  },
  decodeTimeout: {
    flag: '--decode-timeout <seconds>',
    type: wholeNumber(1, 3600),
    default: 60,
    sentence: 'Longest that decoding one picture may take; then it is listed as failed',
  },
  decodeMemory: {
    flag: '--decode-memory <mebibytes>',
    type: wholeNumber(64, 65_536),
    default: 512,
    sentence: 'Most memory that decoding one picture may take; one that takes more is listed as failed',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;
