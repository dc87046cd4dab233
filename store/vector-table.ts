import type { Filter } from './filter.ts';
import type { ItemPlace } from './item-key.ts';
import type { CaptionRecord } from './records.ts';

/**
 * One table of vectors: the pictures or the captions of a generation. Writes are upserts by key, and happen one
 * after the other, in the order of the calls. Ids and sources may be any text. Every read sees all earlier commits, those of
 * other processes too. Reads throw STORE_READ_FAILED, writes STORE_WRITE_FAILED.
 */
export interface VectorTable<Row extends ItemRow>
  extends RowReader<Row>,
    RowWriter<Row>,
    VectorReader<Row>,
    AddressedRows,
    PlacedRows<Row>,
    NearestRows<Row>,
    ApproximateRows<Row> {}

/** A row by its key, and the run that wrote it last. */
export interface RowKey {
  readonly key: string;
  readonly run: string;
}

/** What a row is known by: to the index, and to people. */
export interface ItemRow extends ItemPlace {
  readonly key: string;
}

/** Rows without their vectors. */
export interface RowReader<Row> {
  /** The stored rows with these keys; keys that are not stored are left out. */
  find(keys: readonly string[]): Promise<Map<string, Row>>;
  /** All rows that a filter lets through, in the store's order, in bounded batches. */
  scan(where?: Filter): AsyncIterable<Row>;
  /** As `scan`, of each row only what tells it apart and who wrote it. */
  scanKeys(where?: Filter): AsyncIterable<readonly RowKey[]>;
  /** As `scan`, of each row only these columns, which hold texts. */
  scanTexts<Name extends 'source' | 'id' | 'sha256'>(
    columns: readonly Name[],
    where?: Filter,
  ): AsyncIterable<readonly Readonly<Record<Name, string>>[]>;
  count(where?: Filter): Promise<number>;
  /** Rows of each source. */
  countBySource(): Promise<Map<string, number>>;
}

export interface RowWriter<Row> {
  /**
   * Writes rows in one commit; keys inside one batch are distinct. Now and then a call takes longer, because it
   * optimises the table. Throws STORE_ROW_INVALID where `meta` is not JSON; nothing of the batch is written then.
   */
  upsert(batch: VectorBatch<Row>): Promise<void>;
  /** Keys that are not stored are passed over; beyond 4,096 keys it takes several commits. */
  delete(keys: readonly string[]): Promise<void>;
  /** As `delete`, of rows that are still as these runs wrote them: what another has written since stays. */
  deleteUnchanged(rows: readonly RowKey[]): Promise<void>;
  /**
   * Merges small fragments, drops versions older than ten minutes, and brings the indexes up to date. For
   * the end of a run: during it, `upsert` does this when it pays.
   */
  optimize(): Promise<void>;
}

/** Rows with their vectors: `vectors` holds row i at [i * dimensions, (i + 1) * dimensions), unit length. */
export interface VectorBatch<Row> {
  readonly rows: readonly Row[];
  readonly vectors: Float32Array;
}

/** What is stored of vectors. */
export interface VectorReader<Row> {
  /** The stored vector of one key, as float32 values [dimensions]. */
  vector(key: string): Promise<Float32Array | undefined>;
  /** The stored vectors of these keys as float32 values [dimensions]; keys that are not stored are left out. */
  findVectors(keys: readonly string[]): Promise<Map<string, Float32Array>>;
  /**
   * All rows that a filter lets through with their vectors, float16 bits [rows * dimensions], in bounded batches, in the
   * store's order.
   */
  scanVectors(where?: Filter): AsyncIterable<StoredVectors<Row>>;
  /** As `scanVectors`, of each row only its key. */
  scanKeyedVectors(where?: Filter): AsyncIterable<KeyedVectors>;
}

export interface StoredVectors<Row> {
  readonly rows: readonly Row[];
  readonly halves: Uint16Array;
}

export interface KeyedVectors {
  readonly keys: readonly string[];
  readonly halves: Uint16Array;
}

/** For whoever keeps a copy of the vectors elsewhere, and follows the table. */
export interface AddressedRows {
  /** Changes with every commit, of whichever process. */
  version(): Promise<number>;
  /**
   * The addresses of all rows that match. An address stands for one row with its content for as long as that is stored
   * where it is: a row that changes, or that `optimize` moves, gets another one, which never was another row's.
   */
  addresses(where?: Filter): Promise<BigUint64Array>;
  /**
   * The rows at these addresses, or all, in bounded batches, in no order; those that have gone since are left out.
   */
  vectors(addresses?: BigUint64Array): AsyncIterable<AddressedVectors>;
}

/** Rows by their addresses: a hundred reads of a row each, where a look for keys reads all of them. */
export interface PlacedRows<Row> {
  /** The stored rows at these addresses; those that have gone since are left out. */
  rowsAt(addresses: readonly bigint[]): Promise<Map<bigint, Row>>;
}

/**
 * Rows with their addresses, places and float16 vectors, side by side: row i has `halves` [i * dimensions, (i + 1) *
 * dimensions).
 */
export interface AddressedVectors {
  readonly addresses: BigUint64Array;
  /** Id and source of each as `toPlaceText` gives them: what tells rows apart, and orders equal scores. */
  readonly ids: readonly string[];
  readonly halves: Uint16Array;
}

/** Exact search. */
export interface NearestRows<Row> {
  /** The k rows of largest cosine, exact, best first, ties by id, then source. The query has unit length [dimensions]. */
  nearest(query: Float32Array, options: NearestOptions): Promise<Neighbour<Row>[]>;
}

export interface NearestOptions {
  /** How many rows at most. */
  readonly k: number;
  /** Applied before scoring, so that k rows come back whenever k match. */
  readonly where?: Filter | undefined;
  /** What has not begun when it is aborted need not begin. */
  readonly signal?: AbortSignal | undefined;
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

/** Search by an approximate index on the vectors. */
export interface ApproximateRows<Row> {
  /**
   * Nearly what `nearest` gives: scores are as exact, but a few rows may be missing, and others in their
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

export interface CaptionWithVector {
  readonly row: CaptionRecord;
  readonly halves: Uint16Array;
}

/** Captions, and what their texts are good for beside their vectors. */
export interface CaptionTable extends VectorTable<CaptionRecord> {
  /** The caption with the smallest id of each of these pictures, by their keys. */
  firstOfImages(imageKeys: readonly string[]): Promise<Map<string, string>>;
  /** The whole rows of the same captions with their vectors, float16 bits [dimensions], by the pictures' keys. */
  firstRowsOfImages(imageKeys: readonly string[]): Promise<Map<string, CaptionWithVector>>;
  /** The keys of all captions of these pictures, by theirs. */
  keysOfImages(imageKeys: readonly string[]): AsyncIterable<string>;
  /**
   * All captions that hold a word, whatever its case, accents, form of Unicode and English ending, in no order; none for
   * words such as "the". One of a script without spaces is found wherever it stands (`termsOf`). The first call makes a full-text index; where the store may not be written, one for this process alone. What is
   * written later is found at once, and `optimize` brings the index up to date.
   */
  matching(word: string): AsyncIterable<Pick<CaptionRecord, 'key' | 'imageSource' | 'imageId'>>;
}
