import type { ErrorCode } from '#errors.ts';

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

/** Picture columns without the vector. */
export interface ImageRecord {
  readonly id: string;
  readonly uri: string;
  readonly width: number;
  readonly height: number;
  /** Size of the encoded file in bytes. */
  readonly bytes: number;
  /** Hex digest of the encoded file: the picture's content for resume. */
  readonly sha256: string;
  readonly format: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly indexedAt: Date;
  readonly run: string;
}

/** Caption columns without the vector. */
export interface CaptionRecord {
  readonly id: string;
  readonly uri: string;
  readonly imageId: string | null;
  /** The text: its own content for resume. */
  readonly caption: string;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly indexedAt: Date;
  readonly run: string;
}

export type ItemKind = 'image' | 'caption';

/** Rows with their vectors: `vectors` holds row i at [i * dimensions, (i + 1) * dimensions), unit length. */
export interface VectorBatch<Row> {
  readonly rows: readonly Row[];
  readonly vectors: Float32Array;
}

/** A row found by `nearest`. */
export interface Neighbour<Row> {
  readonly row: Row;
  /**
   * Cosine of the query and the stored vector: the product of both in float64. What is stored is rounded to
   * float16, so it may exceed 1 by some 1e-4.
   */
  readonly score: number;
}

/**
 * Rows with their addresses, ids and float16 vectors, side by side: row i has `halves` [i * dimensions, (i + 1) *
 * dimensions).
 */
export interface AddressedVectors {
  readonly addresses: BigUint64Array;
  readonly ids: readonly string[];
  readonly halves: Uint16Array;
}

export interface NearestOptions {
  /** How many rows at most. */
  readonly k: number;
  /**
   * A filter in the store's own SQL (from `compileFilter`, never a user's text), applied before scoring, so that
   * k rows come back whenever k match.
   */
  readonly where?: string | undefined;
}

export interface ApproximateOptions extends NearestOptions {
  /** Partitions of the index to look into: more find more and take longer. Without it, as many as find 98 %. */
  readonly probes?: number | undefined;
}

export interface VectorIndexState {
  /** Rows that the index covers. */
  readonly rows: number;
  /** Rows written since, which searches compare one by one until `optimize` adds them. */
  readonly unindexed: number;
}

/**
 * One table of vectors: the pictures or the captions of a generation. Writes are upserts by id, and happen one
 * after the other, in the order of the calls. An id may be any text. Every read sees all earlier commits, those of
 * other processes too. Reads throw STORE_READ_FAILED, writes STORE_WRITE_FAILED.
 */
export interface VectorTable<Row extends { readonly id: string }> {
  /** The stored rows with these ids (no vectors); ids that are not stored are left out. */
  find(ids: readonly string[]): Promise<Map<string, Row>>;
  /** The stored vector of one id, as float32 values [dimensions]. */
  vector(id: string): Promise<Float32Array | undefined>;
  /**
   * Writes rows in one commit; ids inside one batch are distinct. Now and then a call takes longer, because it
   * optimises the table. Throws STORE_ROW_INVALID where `meta` is not JSON; nothing of the batch is written then.
   */
  upsert(batch: VectorBatch<Row>): Promise<void>;
  /** Ids that are not stored are passed over; beyond 4,096 ids it takes several commits. */
  delete(ids: readonly string[]): Promise<void>;
  count(where?: string): Promise<number>;
  /** Changes with every commit, of whichever process. */
  version(): Promise<number>;
  /**
   * The addresses of all rows that match. An address stands for one row with its content for as long as that is stored
   * where it is: a row that changes, or that `optimize` moves, gets another one, which never was another row's.
   */
  addresses(where?: string): Promise<BigUint64Array>;
  /**
   * The rows at these addresses, or all, in bounded batches, in no order; those that have gone since are left out.
   */
  vectors(addresses?: BigUint64Array): AsyncIterable<AddressedVectors>;
  /** All rows with their vectors, float16 bits [rows * dimensions], in bounded batches, in the store's order. */
  scanVectors(): AsyncIterable<{ readonly rows: readonly Row[]; readonly halves: Uint16Array }>;
  /** The stored vectors of these ids as float32 values [dimensions]; ids that are not stored are left out. */
  findVectors(ids: readonly string[]): Promise<Map<string, Float32Array>>;
  /** The k rows of largest cosine, exact, best first, ties by id. The query has unit length [dimensions]. */
  nearest(query: Float32Array, options: NearestOptions): Promise<Neighbour<Row>[]>;
  /**
   * Nearly the same, by the approximate index: scores are as exact, but a few rows may be missing, and others in their
   * place. k rows come back whenever k match; rows written or deleted since count at once. For a larger k a row may come
   * up that was missed for a smaller one. Where there is no index, nothing is missing.
   */
  nearestApproximate(query: Float32Array, options: ApproximateOptions): Promise<Neighbour<Row>[]>;
  /** The approximate index on the vectors; undefined where none was built. */
  vectorIndex(): Promise<VectorIndexState | undefined>;
  /**
   * Builds the approximate index, in place of one that is there; searches go on meanwhile, writes wait. `optimize` keeps
   * it up to date, with the centres that it has: build it again once the table has grown by much. Throws ANN_UNSUITABLE
   * where there are too few rows, or the vectors are not of a multiple of 8 values.
   */
  buildVectorIndex(): Promise<void>;
  dropVectorIndex(): Promise<void>;
  /** All rows in the store's order, in bounded batches. */
  scan(where?: string): AsyncIterable<Row>;
  /**
   * Merges small fragments, drops versions older than ten minutes, and brings the indexes up to date. For
   * the end of a run: during it, `upsert` does this when it pays.
   */
  optimize(): Promise<void>;
}

/** Captions, and what their texts are good for beside their vectors. */
export interface CaptionTable extends VectorTable<CaptionRecord> {
  /** The caption with the smallest id of each of these pictures. */
  firstOfImages(imageIds: readonly string[]): Promise<Map<string, string>>;
  /**
   * All captions that hold a word, whatever its case, accents and English ending, in no order; none for words such
   * as "the". The first call makes a full-text index, and then throws STORE_WRITE_FAILED where that cannot be; what is
   * written later is found at once, and `optimize` brings the index up to date.
   */
  matching(word: string): AsyncIterable<Pick<CaptionRecord, 'id' | 'imageId'>>;
}

/** An item that could not be stored, and why. */
export interface FailureRecord {
  readonly collection: string;
  readonly kind: ItemKind | 'broken';
  readonly id: string;
  readonly uri: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly attempts: number;
  readonly retriable: boolean;
  /** Digest of the content that failed, or null where it could not be read: changed content is tried again. */
  readonly sha256: string | null;
  /** JSON of the item as its source gave it, to try it again without its source; null where it is not known. */
  readonly item: string | null;
  readonly failedAt: Date;
  readonly run: string;
  /** Number of the run; null for a job that belongs to none, and for what was listed before runs had numbers. */
  readonly runNumber: number | null;
}

/** Failures of all collections; a failure is known by collection, kind and id. */
export interface FailureTable {
  find(collection: string, ids: readonly string[]): Promise<FailureRecord[]>;
  /**
   * Writes records in one commit; collection, kind and id together are distinct inside one batch. What a run of a larger
   * number has listed stays as that run listed it.
   */
  upsert(records: readonly FailureRecord[]): Promise<void>;
  /** In one commit. */
  delete(keys: readonly Pick<FailureRecord, 'collection' | 'kind' | 'id'>[]): Promise<void>;
  /** Failures that one of these runs was the last to meet; in one commit. */
  deleteOfRuns(collection: string, runs: readonly string[]): Promise<void>;
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
  readonly source: string;
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
  tally(run: string): Promise<LedgerTally>;
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

export interface GenerationTables {
  readonly record: GenerationRecord;
  readonly images: VectorTable<ImageRecord>;
  readonly captions: CaptionTable;
}

/** A place for vectors and what is known of them. Any number of processes write and read it at once. */
export interface Store extends AsyncDisposable {
  readonly uri: string;
  /** Id of the index, 32 hex digits: the same wherever its folder is seen from. */
  readonly id: string;
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
  readonly failures: FailureTable;
  readonly runs: RunTable;
  readonly ledger: Ledger;
  /** Waits for writes under way; nothing that came from the store works afterwards. */
  close(): Promise<void>;
}
