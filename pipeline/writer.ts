import { ERROR_CODES, type ErrorData } from '#errors.ts';
import type { BrokenItem, CaptionItem, ImageItem } from '#sources/item.ts';
import type { CaptionRecord, FailureRecord, GenerationTables, ImageRecord, Store } from '#store/contract.ts';
import { Commit } from './commit.ts';
import type { Planned } from './plan.ts';
import type { ProgressCounter } from './progress.ts';

/** Rows of one commit at most, and the longest that a row waits for one: what a crash can cost. */
const MAX_ROWS = 2048;
const MAX_WAIT_MS = 2000;

type FailedItem = Planned<ImageItem | CaptionItem | BrokenItem, ImageRecord | CaptionRecord>;

/**
 * Collects results and writes them in few commits. `add…` waits while a commit is under way and the next one is full:
 * back-pressure for all that comes before.
 *
 *     add… ──► pending, at most MAX_ROWS ──► the commit under way ──► store
 */
export class Writer {
  readonly #store: Store;
  readonly #tables: GenerationTables;
  readonly #run: string;
  readonly #progress: ProgressCounter;
  #pending = new Commit();
  /** The commit under way; never rejects. */
  #committing: Promise<void> = Promise.resolve();
  /** Settled when the commit under way has ended and the next one has begun. */
  #next: Promise<void> | undefined;
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
    await this.#room();
    this.#pending.images.set(row.id, { row, vector });
    this.#added(failure);
  }

  async addCaption(row: CaptionRecord, vector: Float32Array, failure?: FailureRecord): Promise<void> {
    await this.#room();
    this.#pending.captions.set(row.id, { row, vector });
    this.#added(failure);
  }

  /** An item that is stored as it should be, of which an older failure may still be listed. */
  async addSettled(failure: FailureRecord): Promise<void> {
    await this.#room();
    this.#added(failure);
  }

  /** Lists an item as failed. What is stored under its id is of other content, and goes. */
  async addFailure(
    { item, stored, failure }: FailedItem,
    error: ErrorData,
    sha256: string | null,
  ): Promise<void> {
    await this.#room();
    const { collection } = this.#tables.record;
    const { id, uri, kind } = item;
    this.#pending.failures.push({
      ...{ collection, kind, id, uri, sha256, code: error.code, message: error.message },
      attempts: (failure?.attempts ?? 0) + 1,
      retriable: ERROR_CODES[error.code].retriable,
      failedAt: new Date(),
      run: this.#run,
    });
    if (stored && kind === 'image') this.#pending.superseded.images.push(id);
    if (stored && kind === 'caption') this.#pending.superseded.captions.push(id);
    this.#added();
  }

  /** Writes what is left. Throws what a commit threw. */
  async close(): Promise<void> {
    await this.#commitNext();
    await this.#committing;
    this.#throwError();
  }

  /** Stops after the commit under way: the run has failed. */
  async abandon(): Promise<void> {
    clearTimeout(this.#timer);
    this.#error ??= new Error('The run was abandoned');
    await this.#committing;
  }

  /** Merges the fragments that commits left (the store does so too when they become many); nothing without any. */
  async tidy(): Promise<void> {
    if (this.#commits === 0) return;
    await this.#tables.images.optimize();
    await this.#tables.captions.optimize();
    await this.#store.failures.optimize();
  }

  async #room(): Promise<void> {
    while (this.#pending.size >= MAX_ROWS) await this.#commitNext();
    this.#throwError();
  }

  #added(settled?: FailureRecord): void {
    if (settled) this.#pending.settled.push(settled);
    if (this.#pending.size >= MAX_ROWS) void this.#commitNext();
    else this.#timer ??= setTimeout(() => void this.#commitNext(), MAX_WAIT_MS);
  }

  /** Begins to commit what is pending as soon as the commit under way has ended. */
  #commitNext(): Promise<void> {
    this.#next ??= this.#committing.then(() => {
      this.#next = undefined;
      this.#committing = this.#commit().catch((error: unknown) => {
        this.#error ??= error;
      });
    });
    return this.#next;
  }

  async #commit(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const commit = this.#pending;
    this.#pending = new Commit();
    if (this.#error !== undefined || commit.size === 0) return;
    await commit.write(this.#store, this.#tables);
    this.#progress.add('stored', commit.images.size + commit.captions.size);
    this.#progress.add('failed', commit.failures.length);
    this.#commits += 1;
  }

  #throwError(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}
