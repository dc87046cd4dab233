import type { ErrorData } from '#errors.ts';
import { ERROR_CODES } from '#errors.ts';
import type { BrokenItem, CaptionItem, ImageItem } from '#sources/item.ts';
import type {
  CaptionRecord,
  FailureRecord,
  GenerationTables,
  ImageRecord,
  Store,
  VectorTable,
} from '#store/contract.ts';
import type { Planned } from './plan.ts';
import type { ProgressCounter } from './progress.ts';

/** Rows of one commit at most, and the longest that a row waits for one: what a crash can cost. */
const MAX_ROWS = 2048;
const MAX_WAIT_MS = 2000;
/** Every commit leaves a fragment; so many are merged at a time. */
const COMMITS_PER_TIDYING = 64;

type FailedItem = Planned<ImageItem | CaptionItem | BrokenItem, ImageRecord | CaptionRecord>;

/** Rows to write, by id: one commit holds an id once, and a later result is the newer one. */
type Pending<Row> = Map<string, { readonly row: Row; readonly vector: Float32Array }>;

/**
 * Collects results and writes them in few commits, vectors before anything that refers to them, so that a crash
 * between two commits leaves an item unfinished and never lost. `add…` waits while a commit is under way and the next
 * one is full: back-pressure for all that comes before.
 */
export class Writer {
  readonly #store: Store;
  readonly #tables: GenerationTables;
  readonly #run: string;
  readonly #progress: ProgressCounter;
  #images: Pending<ImageRecord> = new Map();
  #captions: Pending<CaptionRecord> = new Map();
  #failures: FailureRecord[] = [];
  /** Failures that a success has made untrue. */
  #settled: FailureRecord[] = [];
  #superseded: { readonly kind: 'image' | 'caption'; readonly id: string }[] = [];
  #committing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #commits = 0;
  #error: unknown;

  constructor(store: Store, tables: GenerationTables, run: string, progress: ProgressCounter) {
    this.#store = store;
    this.#tables = tables;
    this.#run = run;
    this.#progress = progress;
  }

  async addImage(row: ImageRecord, vector: Float32Array, failure?: FailureRecord): Promise<void> {
    this.#images.set(row.id, { row, vector });
    await this.#added(failure);
  }

  async addCaption(row: CaptionRecord, vector: Float32Array, failure?: FailureRecord): Promise<void> {
    this.#captions.set(row.id, { row, vector });
    await this.#added(failure);
  }

  /** An item that is stored as it should be, of which an older failure may still be listed. */
  async addSettled(failure: FailureRecord): Promise<void> {
    await this.#added(failure);
  }

  /** Lists an item as failed. What is stored under its id is of other content, and goes. */
  async addFailure(
    { item, stored, failure }: FailedItem,
    error: ErrorData,
    sha256: string | null,
  ): Promise<void> {
    const { collection } = this.#tables.record;
    const { id, uri, kind } = item;
    this.#failures.push({
      ...{ collection, kind, id, uri, sha256, code: error.code, message: error.message },
      attempts: (failure?.attempts ?? 0) + 1,
      retriable: ERROR_CODES[error.code].retriable,
      failedAt: new Date(),
      run: this.#run,
    });
    if (stored && kind !== 'broken') this.#superseded.push({ kind, id });
    await this.#added();
  }

  /** Writes what is left. Throws what a commit threw. */
  async close(): Promise<void> {
    this.#commitSoon();
    await this.#committing;
    this.#throwError();
  }

  /** Stops after the commit under way: the run has failed. */
  async abandon(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#committing;
  }

  async #added(settled?: FailureRecord): Promise<void> {
    if (settled) this.#settled.push(settled);
    this.#throwError();
    this.#timer ??= setTimeout(() => this.#commitSoon(), MAX_WAIT_MS);
    if (this.#pending() < MAX_ROWS) return;
    const busy = this.#committing;
    this.#commitSoon();
    await busy;
  }

  #pending(): number {
    return this.#images.size + this.#captions.size + this.#failures.length + this.#settled.length;
  }

  #commitSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending() === 0) return;
    const [images, captions, failures] = [this.#images, this.#captions, this.#failures];
    const [settled, superseded] = [this.#settled, this.#superseded];
    this.#images = new Map();
    this.#captions = new Map();
    [this.#failures, this.#settled, this.#superseded] = [[], [], []];
    this.#committing = this.#committing
      .then(async () => {
        if (this.#error !== undefined) return;
        await upsert(this.#tables.images, images, this.#tables.record.dimensions);
        await upsert(this.#tables.captions, captions, this.#tables.record.dimensions);
        if (failures.length > 0) await this.#store.failures.upsert(failures);
        await this.#remove(superseded);
        if (settled.length > 0) await this.#store.failures.delete(settled);
        this.#progress.add('stored', images.size + captions.size);
        this.#progress.add('failed', failures.length);
        this.#commits += 1;
        if (this.#commits % COMMITS_PER_TIDYING === 0) await this.tidy();
      })
      .catch((error: unknown) => {
        this.#error ??= error;
      });
  }

  /** Merges the fragments that commits left; nothing where there were none. */
  async tidy(): Promise<void> {
    if (this.#commits === 0) return;
    await this.#tables.images.optimize();
    await this.#tables.captions.optimize();
    await this.#store.failures.optimize();
  }

  async #remove(
    superseded: readonly { readonly kind: 'image' | 'caption'; readonly id: string }[],
  ): Promise<void> {
    const ids = (wanted: string): string[] =>
      superseded.filter(({ kind }) => kind === wanted).map(({ id }) => id);
    if (ids('image').length > 0) await this.#tables.images.delete(ids('image'));
    if (ids('caption').length > 0) await this.#tables.captions.delete(ids('caption'));
  }

  #throwError(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}

async function upsert<Row extends { readonly id: string }>(
  table: VectorTable<Row>,
  pending: Pending<Row>,
  dimensions: number,
): Promise<void> {
  if (pending.size === 0) return;
  const results = [...pending.values()];
  const vectors = new Float32Array(results.length * dimensions);
  results.forEach(({ vector }, i) => {
    vectors.set(vector, i * dimensions);
  });
  await table.upsert({ rows: results.map(({ row }) => row), vectors });
}
