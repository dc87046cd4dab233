import type { VlmoError } from '#errors.ts';
import type { Calibrated } from '#evaluate/calibrate.ts';
import type { Evaluated, EvaluationProgress } from '#evaluate/evaluate.ts';
import type { KnownSplit } from '#evaluate/known-splits.ts';
import type { PublishedFigure } from '#evaluate/published.ts';
import type { Exported, ExportProgress } from '#exports/export-tables.ts';
import type { ExportRequest } from '#exports/request.ts';
import type { ModelInfo } from '#model/model.ts';
import type { Progress } from '#pipeline/progress.ts';
import type { RedisClient } from '#queue/connection.ts';
import type { Priority } from '#queue/producer.ts';
import type { IndexSummary } from '#runs/index-source.ts';
import type { SourceCounts } from '#runs/list-sources.ts';
import type { GoneItems, Prune } from '#runs/pass.ts';
import type { RemovedCounts } from '#runs/remove-items.ts';
import type { RunStatus } from '#runs/status.ts';
import type { Submitted } from '#runs/submit.ts';
import type { PairProgress } from '#search/batch/pairs.ts';
import type { RetrievalProgress } from '#search/batch/retrieve.ts';
import type { RecallReport } from '#search/measure-recall.ts';
import type {
  Answers,
  EmbedRequest,
  MatchRequest,
  PairsRequest,
  RetrieveRequest,
  SearchAnswer,
  SearchRequest,
  SearchTarget,
} from '#search/request.ts';
import type { Source, SourceOptions } from '#sources/item.ts';
import type {
  CaptionRecord,
  FailureRecord,
  GenerationRecord,
  ImageRecord,
  RunRecord,
  RunState,
  VectorIndexState,
} from '#store/contract.ts';
import type { RemoveRequest } from './remove-request.ts';

/** How one call is done. */
export interface CallOptions {
  /**
   * Ends the call at once, with the signal's reason. What retrieves, exports, indexes, submits or removes stops then instead, finishes
   * what it has in hand, and says that it is not whole; before it has begun, it ends with the reason.
   */
  readonly signal?: AbortSignal | undefined;
}

export interface SearchOptions extends CallOptions {
  /** Name of a generation of the collection to search in place of the one that serves. Throws GENERATION_NOT_FOUND. */
  readonly generation?: string | undefined;
  /** Told of a hit that could not be read again, since its picture cannot be read, and why. */
  readonly onUnread?: ((id: string, reason: VlmoError) => void) | undefined;
}

/** Called once with a way to ask how far a long call is. */
export interface ProgressOptions<T> extends CallOptions {
  readonly onStart?: ((progress: () => T) => void) | undefined;
}

export interface RetrieveOptions extends ProgressOptions<RetrievalProgress> {
  /** Told of each text that is longer than the model reads, by its id. */
  readonly onCut?: ((id: string) => void) | undefined;
}

/** How a picture and a text belong together. */
export interface Match {
  /** 0 to 1, by the fusion encoder: calibrated where its model has a calibration in the index, else raw. */
  readonly match: number;
  readonly calibrated: boolean;
  /** Of their vectors. */
  readonly cosine: number;
}

/** What the index knows a source by. */
export interface SourceNaming {
  /** Left out, its absolute place. */
  readonly sourceName?: string | undefined;
  /** The source of this name lies elsewhere now: what is stored of it keeps its vectors. */
  readonly sourceMoved?: boolean | undefined;
  /** Name of the source of pictures that captions name by their ids alone. */
  readonly imagesOf?: string | undefined;
}

export interface TargetOptions extends SourceNaming {
  readonly collection?: string | undefined;
  /** A model folder; left out, the one that the collection was indexed with. */
  readonly model?: string | undefined;
  /** How pictures are resized; default `fast`. */
  readonly preprocess?: 'reference' | 'fast' | undefined;
  /** Takes out what the source no longer lists; `all` also where that is most of it. Left out, it is counted. */
  readonly prune?: Prune | undefined;
  /** Reads files too that have not changed since they were read last. */
  readonly verify?: boolean | undefined;
  /** Tries again what is listed as failed. */
  readonly retryFailed?: boolean | undefined;
  /** How to read a manifest. */
  readonly source?: SourceOptions | undefined;
}

export interface GoneOptions
  extends CallOptions,
    Pick<TargetOptions, 'collection' | 'source' | 'sourceName' | 'sourceMoved' | 'prune'> {}

/** What a program says that answers for others. */
export interface RunLimits {
  /** Id of the run, a UUID that no run has had; left out, a new one. */
  readonly run?: string | undefined;
  /**
   * Folders that everything has to lie in, links resolved: a source that does not is SOURCE_OUTSIDE, and so is a picture,
   * which is listed as failed.
   */
  readonly roots?: readonly string[] | undefined;
}

export interface IndexCallOptions extends TargetOptions, RunLimits, ProgressOptions<Progress> {}

export interface Indexed extends IndexSummary {
  readonly generation: GenerationRecord;
}

export interface SubmitOptions extends TargetOptions, RunLimits, ProgressOptions<Submitted> {
  /** Stays the caller's. */
  readonly redis: RedisClient;
  readonly priority?: Priority | undefined;
  /** Items of one job. */
  readonly chunkItems?: number | undefined;
  /** Seconds for which what Redis refuses is tried again; default 300. */
  readonly redisPatience?: number | undefined;
  /** Jobs that may wait in Redis before this waits too. */
  readonly maxWaiting?: number | undefined;
}

export interface ImportOptions
  extends ProgressOptions<Progress>,
    Pick<TargetOptions, 'collection' | 'model' | 'sourceName'> {}

export interface VectorsImported extends Progress {
  readonly run: string;
  /** Name of the source. */
  readonly source: string;
  readonly state: RunState;
  readonly generation: GenerationRecord;
  /** Of the folder. */
  readonly rows: number;
  readonly parts: number;
  readonly dimensions: number;
  /** Vectors that were not of unit length, and are stored so. */
  readonly normalised: number;
  readonly seconds: number;
}

export interface Removed extends RemovedCounts {
  /** Runs in the collection that were under way when it began: what they have of the items they may store again. */
  readonly activeRuns: readonly RunRecord[];
}

export interface OptimizeOptions extends CallOptions {
  readonly collection?: string | undefined;
  /** Builds the approximate index of the vectors, or drops it; left out, it is brought up to date. */
  readonly ann?: 'build' | 'drop' | undefined;
  /** Told of each table whose approximate index is begun. */
  readonly onBuild?: ((table: SearchTarget, rows: number) => Disposable) | undefined;
}

/** What became of one table. */
export interface OptimizedTable {
  readonly table: SearchTarget;
  readonly rows: number;
  /** For compacting it. */
  readonly seconds: number;
  /** Its approximate index now; null where there is none. */
  readonly ann: VectorIndexState | null;
  /** For building the index; null where none was built. */
  readonly annSeconds: number | null;
  /** Why the index that was asked for was not built. */
  readonly reason: string | null;
}

export interface MeasureOptions extends CallOptions {
  readonly collection?: string | undefined;
  /** A text file with a query a line; left out, stored rows of the other kind are the queries. */
  readonly queries?: string | undefined;
  /** How many stored rows are queries, and which ones: the same for the same seed. */
  readonly sample?: number | undefined;
  readonly seed?: number | undefined;
  /** Hits of a query. */
  readonly k?: number | undefined;
  /** Told of each table that is begun, by what it is searched, and asked how many queries are done. */
  readonly onMeasure?: ((title: string, queries: number, done: () => number) => Disposable) | undefined;
}

export interface MeasuredRecall {
  /** What is searched by what. */
  readonly title: string;
  readonly report: RecallReport;
  readonly target: SearchTarget;
  readonly defaultProbes: number;
}

export interface EvaluateOptions extends ProgressOptions<EvaluationProgress> {
  readonly collection?: string | undefined;
  /** Only pictures and captions that match; of either kind, so by `source`, `id` or `meta`. */
  readonly where?: string | undefined;
  /** Reads so many of the first again by the fusion encoder, and 32 of them where that is fewer, each as a result of its own. */
  readonly rerank?: number | undefined;
  /** Goes on where pictures or captions are not there, without them. */
  readonly partial?: boolean | undefined;
  /** Of the samples that the intervals are made of. */
  readonly seed?: number | undefined;
}

export interface CalibrateOptions extends ProgressOptions<EvaluationProgress> {
  readonly collection?: string | undefined;
  /** As of `evaluate`. */
  readonly where?: string | undefined;
  /** How many captions are read, each with its own picture and eight wrong ones; half of them judge. Default 500. */
  readonly sample?: number | undefined;
  readonly seed?: number | undefined;
}

export interface CalibratedModel extends Calibrated {
  readonly generation: GenerationRecord;
}

/** What is lacking, the first five by their ids. */
export interface MissingItems {
  readonly count: number;
  readonly first: readonly string[];
}

export interface Evaluation extends Evaluated {
  readonly generation: GenerationRecord;
  readonly pictures: number;
  /** Those of a stored picture; `alone` are of none. */
  readonly captions: number;
  readonly alone: number;
  readonly missing: MissingItems;
  /** The split of these sizes that figures are published for; null where it is none. */
  readonly split: KnownSplit | null;
  readonly published: readonly PublishedFigure[];
}

export interface ItemsOptions {
  readonly collection?: string | undefined;
  /** Default images. */
  readonly in?: SearchTarget | undefined;
  /** As of a search. */
  readonly where?: string | undefined;
}

/** Where the items of an index came from. */
export interface Sources {
  /** Of all collections, each with what the generation that serves holds of it. */
  list(): Promise<readonly SourceCounts[]>;
  /**
   * Gives a source another name; vectors stay. The next run over its place has to say the name (`sourceName`). Throws
   * SOURCE_UNKNOWN, SOURCE_TAKEN, and SOURCE_BUSY while a run over it is under way.
   */
  rename(from: string, to: string): Promise<void>;
}

/** Names one item: by its key, or by its id, with its source where several have it. */
export type ItemName =
  | { readonly key: string }
  | { readonly id: string; readonly source?: string | undefined };

/** What a collection knows of one item. */
export type FoundItem =
  | {
      readonly kind: 'image';
      readonly row: ImageRecord;
      /** All that describe it. */
      readonly captions: readonly CaptionRecord[];
    }
  | { readonly kind: 'caption'; readonly row: CaptionRecord }
  /** It could not be stored. */
  | { readonly kind: 'failed'; readonly failure: FailureRecord };

/**
 * An index that is open, with the models that it needs loaded. Every call throws VlmoErrors by their codes
 * (docs/errors.md): REQUEST_INVALID for a request beyond its limits, COLLECTION_NOT_FOUND, and what its own words say; a
 * question (search, embed, match) ENGINE_BUSY too, with `retryAfterMs`, where too many are under way.
 */
export interface OpenIndex extends AsyncDisposable {
  /** Its folder or address. */
  readonly folder: string;
  /** 32 hex digits: the same wherever the folder is seen from. */
  readonly id: string;
  /** Throws SEARCH_ITEM_NOT_FOUND, FILTER_INVALID, CURSOR_INVALID, QUERY_INVALID, and what reading a picture throws. */
  search(request: SearchRequest, options?: SearchOptions): Promise<SearchAnswer>;
  /** Vectors of unit length, one for each text, or one for the picture, by the model of the collection. */
  embed(request: EmbedRequest, options?: CallOptions): Promise<readonly Float32Array[]>;
  /** How a picture belongs to each of several texts. Throws MODEL_HEAD_MISSING. */
  match(request: MatchRequest, options?: CallOptions): Promise<readonly Match[]>;
  /** How many tokens the model of a collection reads of each text. */
  tokens(texts: readonly string[], collection?: string): Promise<readonly number[]>;
  /** Answers many queries into a Parquet file; the same call goes on where an earlier one was stopped or killed. */
  retrieve(request: RetrieveRequest, options?: RetrieveOptions): Promise<Answers['retrieve']>;
  /** Scores each picture with its own captions, into a Parquet file. */
  pairs(request: PairsRequest, options?: ProgressOptions<PairProgress>): Promise<Answers['pairs']>;
  /**
   * Indexes a folder, a manifest or a source of your own: every item is stored, skipped or listed as failed. When the run
   * is whole, its generation serves the collection. The same call again does what is new or changed, and says what the
   * source no longer lists (`gone`); with `prune` that is taken out, or `gone.refused` says why not.
   */
  index(source: string | Source, options?: IndexCallOptions): Promise<Indexed>;
  /** What `index` would find gone; reads the source and changes nothing. With `prune`, what that would refuse. */
  gone(source: string | Source, options?: GoneOptions): Promise<GoneItems>;
  /** What is listed as failed, or what of it a run was the last to meet, as a source for `index` with `retryFailed`. */
  failed(collection: string, run?: string): Source;
  /** Puts a source into the queue, for workers to index. The same call again goes on where it stopped. */
  submit(source: string | Source, options: SubmitOptions): Promise<Submitted>;
  /**
   * Takes items out of all generations of a collection, with the captions of pictures that go and with their failures; the
   * same call goes on where one was stopped or killed. Throws FILTER_INVALID, ID_AMBIGUOUS.
   */
  remove(request: RemoveRequest, options?: CallOptions): Promise<Removed>;
  readonly sources: Sources;
  /** Compacts the tables of a collection, and builds or drops its approximate index. Throws ANN_UNSUITABLE. */
  optimize(options?: OptimizeOptions): Promise<readonly OptimizedTable[]>;
  /** What approximate searches find of what exact ones do, and how much faster. Throws ANN_INDEX_MISSING. */
  measure(options?: MeasureOptions): Promise<readonly MeasuredRecall[]>;
  /**
   * Writes a collection into a folder in a layout that other programs read; the same call goes on where an earlier one
   * was stopped or killed. Throws FILTER_INVALID, GENERATION_NOT_FOUND, RESULTS_CONFLICT, RESULTS_UNWRITABLE.
   */
  export(request: ExportRequest, options?: ProgressOptions<ExportProgress>): Promise<Exported>;
  /**
   * Stores vectors that were computed elsewhere, of a folder in clip-retrieval's layout; the same call again does what is
   * new or changed. Throws VECTORS_MALFORMED before anything is written, STORE_GENERATION_CONFLICT, SEARCH_MODEL_MISMATCH.
   */
  importVectors(folder: string, options?: ImportOptions): Promise<VectorsImported>;
  /**
   * Retrieval by Karpathy's protocol over the pictures and captions of a collection: recall@1, 5 and 10 both ways, ties
   * against us. Throws EVALUATION_INCOMPLETE, EVALUATION_EMPTY, FILTER_INVALID, and MODEL_HEAD_MISSING for `rerank`.
   */
  evaluate(options?: EvaluateOptions): Promise<Evaluation>;
  /**
   * Fits what makes a probability of the match of a collection's model, and keeps it in the index for all collections
   * of that model, in place of an earlier one. Throws CALIBRATION_UNSUITABLE, FILTER_INVALID, MODEL_HEAD_MISSING.
   */
  calibrate(options?: CalibrateOptions): Promise<CalibratedModel>;
  /** What is stored, in the store's order. Throws FILTER_INVALID. */
  items(options?: ItemsOptions): AsyncIterable<ImageRecord | CaptionRecord>;
  /** One item, stored or listed as failed. Throws SEARCH_ITEM_NOT_FOUND, ID_AMBIGUOUS. */
  item(name: ItemName, collection?: string): Promise<FoundItem>;
  /** How many pictures and captions a collection stores. */
  counts(collection?: string): Promise<Readonly<Record<SearchTarget, number>>>;
  /** What could not be stored, and why; of all collections, or one. */
  failures(collection?: string): AsyncIterable<FailureRecord>;
  /** The runs of `vlmo index` and `vlmo submit`, oldest first, as they stand; rates are by the clock of Redis, `now`. */
  runs(now?: Date): Promise<readonly RunStatus[]>;
  /** Ends a queued run without doing the rest of it; what is stored stays. Says whether it was under way. */
  cancel(run: string): Promise<boolean>;
  /** Throws RUN_NOT_FOUND. */
  run(id: string, now?: Date): Promise<RunStatus>;
  /**
   * Writes down where the model lies now, for all generations that it made, and gives those. Throws
   * SEARCH_MODEL_MISMATCH where it made none.
   */
  relocateModel(folder: string): Promise<readonly GenerationRecord[]>;
  /** What serves a collection. */
  serving(collection?: string): Promise<GenerationRecord>;
  generations(): Promise<readonly GenerationRecord[]>;
  /** Lets a generation serve its collection from the next call on. Throws GENERATION_NOT_FOUND. */
  activate(generation: string): Promise<GenerationRecord>;
  /**
   * Deletes the vectors of a generation, for good. Throws GENERATION_NOT_FOUND, and GENERATION_BUSY for one that serves or
   * that a run works in.
   */
  drop(generation: string): Promise<GenerationRecord>;
  /** What the model of a generation is. Throws MODEL_NOT_FOUND, SEARCH_MODEL_MISMATCH, MODEL_CHANGED. */
  model(generation: string): Promise<ModelInfo>;
  /** What the index was opened with to read hits again; undefined where each collection's own model does. Throws MODEL_NOT_FOUND, MODEL_INVALID. */
  reranker(): Promise<ModelInfo | undefined>;
  /**
   * Makes all threads ready for a collection now, and not with the first request: the model, also for pairs, the process
   * that decodes, and the vectors.
   */
  warm(collection?: string): Promise<void>;
  /** Waits for calls under way, aborted ones too, and gives back models, threads and store. */
  close(): Promise<void>;
}
