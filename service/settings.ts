import { ALL_OPTIONS, type Config } from '#config/options.ts';
import type { DeviceName } from '#devices/provider.ts';

/** How an opened index computes. What is left out has the default of docs/configuration.md; no environment is read. */
export interface IndexSettings extends Partial<Config<ComputeOption>> {
  /** What computes; `auto` takes the fastest that works. */
  readonly device?: DeviceName;
  /** The model of new collections; of one that is there, where its model lies now, if it moved. */
  readonly model?: string | undefined;
  /** A model folder that reads candidates again in place of the collection's own model, which may be of any family. */
  readonly reranker?: string | undefined;
  /** A folder that keeps what the reranker makes of pictures; left out, that ends with the index. */
  readonly rerankerCache?: string | undefined;
  /**
   * `pools` keeps the model on threads and the vectors on the device, for many calls. `thread` is for one question:
   * the model runs on the thread that calls, which does nothing else meanwhile, and vectors are compared as they are read.
   */
  readonly compute?: 'pools' | 'thread';
  /**
   * Searches, embeddings and matches that may be under way; more are ENGINE_BUSY, with the wait expected. Default 256: one
   * that waits holds little, but on two cores a model of the base size answers some 50 texts a second, and who would wait
   * longer than 5 s is better told so.
   */
  readonly maxCalls?: number;
  /** Minutes after which a model that nobody asked is given back, with its vectors; left out, it stays. */
  readonly idleUnloadMinutes?: number | undefined;
  /** Whether pictures at `s3://` are read, with what the environment says of AWS. Default true. */
  readonly s3?: boolean;
}

type ComputeOption =
  | 'precision'
  | 'batchSize'
  | 'decodeThreads'
  | 'inferenceWorkers'
  | 'maxPixels'
  | 'maxImageBytes'
  | 'decodeTimeout'
  | 'decodeMemory'
  | 'fetchAllows'
  | 'fetchOnlyAllowed'
  | 'fetchConcurrency'
  | 'fetchPerHost'
  | 'fetchTimeout'
  | 'fetchRetries'
  | 'fetchMemory'
  | 'ignoreRobots'
  | 'rerankerMemory';

export interface Settings extends Config<ComputeOption> {
  readonly device: DeviceName;
  readonly model: string | undefined;
  readonly reranker: string | undefined;
  readonly rerankerCache: string | undefined;
  readonly compute: 'pools' | 'thread';
  readonly maxCalls: number;
  readonly idleUnloadMinutes: number | undefined;
  readonly s3: boolean;
}

const MAX_CALLS = 256;

export function resolveSettings(given: IndexSettings): Settings {
  const {
    device,
    precision,
    batchSize,
    decodeThreads,
    inferenceWorkers,
    maxPixels,
    maxImageBytes,
    decodeTimeout,
    decodeMemory,
    fetchOnlyAllowed,
    fetchConcurrency,
    fetchPerHost,
    fetchTimeout,
    fetchRetries,
    fetchMemory,
    ignoreRobots,
    rerankerMemory,
  } = ALL_OPTIONS;
  return {
    device: given.device ?? device.default,
    precision: given.precision ?? precision.default,
    batchSize: given.batchSize ?? batchSize.default,
    decodeThreads: given.decodeThreads ?? decodeThreads.default,
    inferenceWorkers: given.inferenceWorkers ?? inferenceWorkers.default,
    maxPixels: given.maxPixels ?? maxPixels.default,
    maxImageBytes: given.maxImageBytes ?? maxImageBytes.default,
    decodeTimeout: given.decodeTimeout ?? decodeTimeout.default,
    decodeMemory: given.decodeMemory ?? decodeMemory.default,
    fetchAllows: given.fetchAllows,
    fetchOnlyAllowed: given.fetchOnlyAllowed ?? fetchOnlyAllowed.default,
    fetchConcurrency: given.fetchConcurrency ?? fetchConcurrency.default,
    fetchPerHost: given.fetchPerHost ?? fetchPerHost.default,
    fetchTimeout: given.fetchTimeout ?? fetchTimeout.default,
    fetchRetries: given.fetchRetries ?? fetchRetries.default,
    fetchMemory: given.fetchMemory ?? fetchMemory.default,
    ignoreRobots: given.ignoreRobots ?? ignoreRobots.default,
    rerankerMemory: given.rerankerMemory ?? rerankerMemory.default,
    model: given.model,
    reranker: given.reranker,
    rerankerCache: given.rerankerCache,
    compute: given.compute ?? 'pools',
    maxCalls: given.maxCalls ?? MAX_CALLS,
    idleUnloadMinutes: given.idleUnloadMinutes,
    s3: given.s3 ?? true,
  };
}
