import type { ErrorCode } from '#errors.ts';
import type { KindCounts, SeenCount } from './kind-counts.ts';
import type { ImageRecord, ItemKind } from './records.ts';
import type { CaptionTable, VectorTable } from './vector-table.ts';

export type * from './filter.ts';
export type * from './kind-counts.ts';
export type * from './records.ts';
export type * from './vector-table.ts';

/** The vectors of one collection made by one model; see `fingerprint`. */
export interface GenerationRecord {
  /** Name of the generation, unique in the store: `<collection>.<first 12 digits of the fingerprint>`. */
  readonly name: string;
  readonly collection: string;
  /** Hex digest over weights, preprocessing and dtype: vectors of two fingerprints never meet. */
  readonly fingerprint: string;
  /** What a person calls the model, for messages. */
  readonly modelName: string;
  /** Absolute path of the model folder that made it. */
  readonly modelPath: string;
  readonly preprocess: string;
  /** Length of each vector. */
  readonly dimensions: number;
  readonly createdAt: Date;
}

export type GenerationSpec = Omit<GenerationRecord, 'name' | 'createdAt'>;

/** An item that could not be stored, and why. */
export interface FailureRecord {
  readonly collection: string;
  /** `itemKey` of source, kind and id. */
  readonly key: string;
  readonly kind: ItemKind | 'broken';
  readonly source: string;
  readonly id: string;
  readonly uri: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly attempts: number;
  readonly retriable: boolean;
  /** Digest of the content that failed, or null where it could not be read: changed content is tried again. */
  readonly sha256: string | null;
  /** What its file was known by when it was read; null where that is not known. */
  readonly stamp: string | null;
  /** JSON of the item as its source gave it, to try it again without its source; null where it is not known. */
  readonly item: string | null;
  readonly failedAt: Date;
  readonly run: string;
  /** Number of the run; null for a job that belongs to none, and for what was listed before runs had numbers. */
  readonly runNumber: number | null;
}

/** Failures of all collections; a failure is known by collection and key. */
export interface FailureTable {
  find(collection: string, keys: readonly string[]): Promise<FailureRecord[]>;
  /**
   * Writes records in one commit; collection and key together are distinct inside one batch. What a run of a larger
   * number has listed stays as that run listed it.
   */
  upsert(records: readonly FailureRecord[]): Promise<void>;
  /** In one commit. */
  delete(keys: readonly Pick<FailureRecord, 'collection' | 'key'>[]): Promise<void>;
  /** Failures that one of these runs was the last to meet, of all sources or of one; in one commit. */
  deleteOfRuns(collection: string, runs: readonly string[], source?: string): Promise<void>;
  count(collection?: string): Promise<number>;
  /** Failures in the store's order (sorting them would take memory that grows with their number). */
  scan(collection?: string): AsyncIterable<FailureRecord>;
  optimize(): Promise<void>;
}

export type RunState = 'running' | 'complete' | 'interrupted' | 'failed' | 'cancelled';

/** What was asked of one `vlmo index` or `vlmo submit`, and how it went. */
export interface RunRecord {
  readonly id: string;
  /** Whether the run works itself, or its chunks wait in a queue for workers. */
  readonly kind: 'direct' | 'queued';
  /** Name of the source. */
  readonly source: string;
  /** Where the source lay. */
  readonly place: string;
  readonly collection: string;
  readonly generation: string;
  readonly state: RunState;
  /** Whether the source was read to its end: then `seen` is all there is. */
  readonly submitted: boolean;
  /** JSON of what was asked beside the source: two runs with the same are one submission, repeated. */
  readonly options: string;
  readonly seen: number;
  readonly stored: number;
  readonly skipped: number;
  readonly failed: number;
  /** The same of pictures and captions apart; null where that is not known. */
  readonly kinds: KindCounts<SeenCount> | null;
  readonly startedAt: Date;
  readonly endedAt: Date | null;
  /**
   * The order of runs: larger than the number of every run that began before. Null for runs of before there were
   * numbers, and until the commit that begins a run is known.
   */
  readonly number: number | null;
  /** The process that works on a direct run, or that submits a queued one, as `describeProcess` writes it; else null. */
  readonly owner: string | null;
  /** Raised every ten seconds by the owner, as long as it lives. */
  readonly lease: number | null;
  /** Captions that are longer than the model reads; null for runs of before that was kept. */
  readonly truncated: Truncated | null;
}

/** Texts that the model reads the beginnings of only. */
export interface Truncated {
  readonly count: number;
  /** Ids of the first five. */
  readonly first: readonly string[];
}

export interface RunTable {
  /** Adds a run, and gives it the number of its commit. */
  begin(record: RunRecord): Promise<RunRecord>;
  upsert(record: RunRecord): Promise<void>;
  /** Replaces a run's record while it is running and belongs to `owner`. Says whether it was. */
  update(record: RunRecord, owner: string | null): Promise<boolean>;
  find(id: string): Promise<RunRecord | undefined>;
  scan(filter?: Partial<Pick<RunRecord, 'kind' | 'state'>>): AsyncIterable<RunRecord>;
}

/** One chunk job of a queued run: some hundred items. */
export interface ChunkRecord {
  readonly run: string;
  /** Id of the job, made from its content. */
  readonly id: string;
  /** How many items it has. */
  readonly items: number;
  /** JSON of the job. */
  readonly data: string;
  readonly priority: string;
}

/** What has become of the items of a chunk. */
export interface ChunkResult {
  readonly run: string;
  readonly chunk: string;
  readonly stored: number;
  readonly skipped: number;
  readonly failed: number;
  /** The same of pictures and captions apart; null in results of before they were. */
  readonly kinds: KindCounts | null;
  readonly at: Date;
}

/** The sums of a run's chunks and their results. */
export interface LedgerTally {
  readonly chunks: number;
  /** Items of all chunks. */
  readonly items: number;
  readonly stored: number;
  readonly skipped: number;
  readonly failed: number;
  /** The same of pictures and captions apart, as far as it is known. */
  readonly kinds: KindCounts;
  /** Items whose results came in the last 60 seconds. */
  readonly recent: number;
}

/**
 * What queued runs have to do and what of it is done, so that a queue may forget. Kept until a run ends. Throws
 * STORE_READ_FAILED and STORE_WRITE_FAILED.
 */
export interface Ledger {
  /** Chunks that are there already are left as they are. */
  addChunks(chunks: readonly ChunkRecord[]): Promise<void>;
  /** The first result of a chunk stays; one for a chunk that is not there is passed over by `tally`. */
  settle(results: readonly ChunkResult[]): Promise<void>;
  /** `now`: by the clock that the results' times are of. */
  tally(run: string, now?: Date): Promise<LedgerTally>;
  /** Ids of all chunks of a run. */
  ids(run: string): AsyncIterable<string>;
  /** Ids of the chunks without a result; memory grows by some 100 bytes a chunk of the run. */
  unsettled(run: string): AsyncIterable<string>;
  find(run: string, ids: readonly string[]): Promise<ChunkRecord[]>;
  /** Takes chunks back that are not to be done. */
  remove(run: string, ids: readonly string[]): Promise<void>;
  /** Forgets a run, and gives back the disk that it took once no reader can need it. */
  drop(run: string): Promise<void>;
}

/** A source that gets another name. */
export interface SourceRename {
  readonly from: string;
  readonly to: string;
}

/** What makes probabilities of a model's match log-odds, and what it was fitted on. */
export interface StoredCalibration {
  /** Of the model that reads the pairs. */
  readonly fingerprint: string;
  /** p = 1 / (1 + exp(-(a odds + b))), where as many pairs are right as wrong. */
  readonly a: number;
  readonly b: number;
  /** The collection whose pairs it was fitted on, and how many of them. */
  readonly collection: string;
  readonly positives: number;
  readonly negatives: number;
  readonly fittedAt: Date;
}

/** One calibration a model. */
export interface CalibrationTable {
  find(fingerprint: string): Promise<StoredCalibration | undefined>;
  /** In place of an earlier one. */
  put(record: StoredCalibration): Promise<void>;
}

export interface GenerationTables {
  readonly record: GenerationRecord;
  readonly images: VectorTable<ImageRecord>;
  readonly captions: CaptionTable;
}

/** A place for vectors and what is known of them. Any number of processes write and read it at once. */
export interface Store extends AsyncDisposable {
  /** What it is called in messages: its folder, or its address. */
  readonly uri: string;
  /** The folder that holds the index, where it is one of this machine: an absolute path. */
  readonly localFolder?: string | undefined;
  /** Id of the index, 32 hex digits: the same wherever its folder is seen from. */
  readonly id: string;
  /** Whether it may be written: an index of an older format that was opened to be read may not. */
  readonly isWritable: boolean;
  /**
   * Looks whether the index is still of a format that this program knows. Throws STORE_VERSION_UNSUPPORTED where a newer
   * one has raised it since it was opened.
   */
  requireFormat(): Promise<void>;
  /** The generation that serves a collection; undefined where nothing was indexed. */
  activeGeneration(collection: string): Promise<GenerationRecord | undefined>;
  generations(): Promise<GenerationRecord[]>;
  collections(): Promise<string[]>;
  /** Finds or makes the generation with this fingerprint; the first one of a collection becomes active at once. */
  openGeneration(spec: GenerationSpec): Promise<GenerationTables>;
  /** The tables of a generation known to the store; makes nothing. */
  tables(record: GenerationRecord): Promise<GenerationTables>;
  /** Makes this generation the one that serves its collection: one commit, no moment without. */
  activate(record: GenerationRecord): Promise<void>;
  /**
   * Gives all that came from a source another name, in all collections and generations: rows, failures, captions of its
   * pictures, runs. The other name must be nobody's. Where it is killed, `pendingRename` tells, and the same call goes on.
   */
  renameSource(names: SourceRename): Promise<void>;
  pendingRename(): Promise<SourceRename | undefined>;
  /** Forgets a generation and deletes its tables; done again where it was stopped. Nobody may be using it. */
  drop(record: GenerationRecord): Promise<void>;
  readonly failures: FailureTable;
  readonly runs: RunTable;
  readonly ledger: Ledger;
  readonly calibrations: CalibrationTable;
  /** Waits for writes under way; nothing that came from the store works afterwards. */
  close(): Promise<void>;
}
