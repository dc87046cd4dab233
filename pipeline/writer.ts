import { ERROR_CODES, type ErrorData, shortened } from '#errors.ts';
import type { BrokenItem, CaptionItem, ImageItem } from '#sources/item.ts';
import type { CaptionRecord, FailureRecord, GenerationTables, ImageRecord, Store } from '#store/contract.ts';
import { Commit } from './commit.ts';
import type { Planned } from './lookup.ts';
import type { RunContext } from './run-context.ts';

/** Items of one commit at most, and the longest that an item waits for one: what a crash can cost. */
const MAX_ITEMS = 2048;
const MAX_WAIT_MS = 2000;

/** Of a picture that could not be read, and of all that is none. */
const UNREAD = { sha256: null, stamp: undefined };

type FailedItem = Planned<ImageItem | CaptionItem | BrokenItem, ImageRecord | CaptionRecord>;

/**
 * Collects results and writes them in few commits. `add…` waits while a commit is under way and the next one is full:
 * back-pressure for all that comes before.
 *
 *     add… ──► pending, at most MAX_ITEMS ──► the commit under way ──► store, then counted for the runContexts
 */
export class Writer {
  readonly #store: Store;
  readonly #tables: GenerationTables;
  #pending = new Commit();
  /** The commit under way; never rejects. */
  #committing: Promise<void> = Promise.resolve();
  /** Settled when the commit under way has ended and the next one has begun. */
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #commits = 0;
  #error: unknown;

  constructor(store: Store, tables: GenerationTables) {
    this.#store = store;
    this.#tables = tables;
  }

  /** Whether a commit was refused: then nothing more is taken. */
  get hasFailed(): boolean {
    return this.#error !== undefined;
  }

  async addImage(
    runContext: RunContext,
    row: ImageRecord,
    vector: Float32Array,
    failure?: FailureRecord,
    count: 'stored' | 'skipped' = 'stored',
  ): Promise<void> {
    await this.#room();
    this.#pending.addImage(runContext, row, vector, failure, count);
    this.#added();
  }

  async addCaption(
    runContext: RunContext,
    row: CaptionRecord,
    vector: Float32Array,
    failure?: FailureRecord,
  ): Promise<void> {
    await this.#room();
    this.#pending.addCaption(runContext, row, vector, failure);
    this.#added();
  }

  /** An item that is stored as it should be, of which an older failure may still be listed. */
  async addSettled(runContext: RunContext, failure: FailureRecord): Promise<void> {
    await this.#room();
    this.#pending.addSettled(runContext, failure);
    this.#added();
  }

  /** Lists an item as failed. What is stored under its key is of other content, and goes. */
  async addFailure(
    runContext: RunContext,
    { item, key, source, stored, failure }: FailedItem,
    error: ErrorData,
    content: { readonly sha256: string | null; readonly stamp: string | undefined } = UNREAD,
  ): Promise<void> {
    const { collection } = this.#tables.record;
    const { id, uri, kind } = item;
    const attempts = (failure?.attempts ?? 0) + 1;
    runContext.onFailure?.(item, error, attempts);
    const record = {
      ...{
        collection,
        key,
        source,
        kind,
        id,
        uri,
        sha256: content.sha256,
        stamp: content.stamp ?? null,
        code: error.code,
        message: shortened(error.message),
        attempts,
      },
      retriable: ERROR_CODES[error.code].retriable,
      item: JSON.stringify({ ...item, source }),
      failedAt: new Date(),
      run: runContext.run,
      runNumber: runContext.runNumber,
    };
    await this.#room();
    this.#pending.addFailure(runContext, record, stored !== undefined);
    this.#added();
  }

  /** Lists a failure of an earlier run as met by this one, which did not try the item again. */
  async addKnownFailure(runContext: RunContext, failure: FailureRecord): Promise<void> {
    await this.#room();
    const { run, runNumber } = runContext;
    this.#pending.addKnownFailure(runContext, { ...failure, run, runNumber });
    this.#added();
  }

  /** Writes what is pending. Throws what a commit threw. */
  async flush(): Promise<void> {
    await this.#commitNext();
    await this.#committing;
    this.#throwError();
  }

  /** Waits for the commit of all that was added so far, which more may join. Throws what a commit threw. */
  async committed(): Promise<void> {
    const pending = this.#pending;
    await this.#committing;
    if (pending.size > 0) await pending.ended;
    this.#throwError();
  }

  /** Stops after the commit under way: the work has failed. */
  async abandon(): Promise<void> {
    clearTimeout(this.#timer);
    this.#error ??= new Error('The work was abandoned');
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
    while (this.#pending.size >= MAX_ITEMS) await this.#commitNext();
    this.#throwError();
  }

  #added(): void {
    if (this.#pending.size >= MAX_ITEMS) void this.#commitNext();
    else this.#timer ??= setTimeout(() => void this.#commitNext(), MAX_WAIT_MS);
  }

  /** Begins to commit what is pending as soon as the commit under way has ended. */
  #commitNext(): Promise<void> {
    this.#next ??= this.#committing.then(() => {
      this.#next = undefined;
      this.#committing = this.#commit();
    });
    return this.#next;
  }

  async #commit(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const commit = this.#pending;
    this.#pending = new Commit();
    if (this.#error !== undefined || commit.size === 0) return commit.end(false);
    try {
      await commit.write(this.#store, this.#tables);
      this.#commits += 1;
      commit.end(true);
    } catch (error) {
      this.#error ??= error;
      commit.end(false);
    }
  }

  #throwError(): void {
    if (this.#error !== undefined) throw this.#error;
  }
}
