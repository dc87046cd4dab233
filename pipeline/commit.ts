import type { Item } from '#sources/item.ts';
import type {
  CaptionRecord,
  FailureRecord,
  GenerationTables,
  ImageRecord,
  RowWriter,
  Store,
} from '#store/contract.ts';
import type { Count } from './progress.ts';
import type { RunContext } from './run-context.ts';

/** Rows to write, by key: one commit holds a key once, and a later result is the newer one. */
type Rows<Row> = Map<string, { readonly row: Row; readonly vector: Float32Array }>;

/** What one commit writes, and whom it has to be counted for. */
export class Commit {
  readonly #images: Rows<ImageRecord> = new Map();
  readonly #captions: Rows<CaptionRecord> = new Map();
  readonly #failures = new Map<string, FailureRecord>();
  /** Failures that a success has made untrue. */
  readonly #settled = new Map<string, FailureRecord>();
  /** What is stored under the key of an item that fails now. */
  readonly #superseded = { images: new Set<string>(), captions: new Set<string>() };
  readonly #counts: {
    readonly runContext: RunContext;
    readonly kind: Item['kind'];
    readonly counts: readonly Count[];
  }[] = [];
  readonly #ended = Promise.withResolvers<void>();

  /** Items taken so far. */
  get size(): number {
    return this.#counts.length;
  }

  addImage(
    runContext: RunContext,
    row: ImageRecord,
    vector: Float32Array,
    failure: FailureRecord | undefined,
    count: 'stored' | 'skipped',
  ): void {
    this.#images.set(row.key, { row, vector });
    this.#superseded.images.delete(row.key);
    this.#settle(row.key, failure);
    this.#counts.push({ runContext, kind: 'image', counts: [count] });
  }

  addCaption(
    runContext: RunContext,
    row: CaptionRecord,
    vector: Float32Array,
    failure: FailureRecord | undefined,
  ): void {
    this.#captions.set(row.key, { row, vector });
    this.#superseded.captions.delete(row.key);
    this.#settle(row.key, failure);
    this.#counts.push({ runContext, kind: 'caption', counts: ['stored'] });
  }

  addSettled(runContext: RunContext, failure: FailureRecord): void {
    this.#settle(failure.key, failure);
    this.#counts.push({ runContext, kind: failure.kind, counts: ['skipped'] });
  }

  /** `isStored`: a row lies under its key, which is of other content and goes. */
  addFailure(runContext: RunContext, failure: FailureRecord, isStored: boolean): void {
    const { kind, key } = failure;
    const isPending =
      kind === 'image' ? this.#images.delete(key) : kind === 'caption' && this.#captions.delete(key);
    if (isStored || isPending) {
      if (kind === 'image') this.#superseded.images.add(key);
      if (kind === 'caption') this.#superseded.captions.add(key);
    }
    this.#list(failure);
    this.#counts.push({ runContext, kind: failure.kind, counts: ['failed'] });
  }

  /** A failure of an earlier run that was not tried again. */
  addKnownFailure(runContext: RunContext, failure: FailureRecord): void {
    this.#list(failure);
    this.#counts.push({ runContext, kind: failure.kind, counts: ['failed', 'knownFailures'] });
  }

  /**
   * Vectors before anything that refers to them, new records before old ones go: a crash between two steps leaves an
   * item unfinished and never lost.
   */
  async write(store: Store, { images, captions, record }: GenerationTables): Promise<void> {
    await upsert(images, this.#images, record.dimensions);
    await upsert(captions, this.#captions, record.dimensions);
    if (this.#failures.size > 0) await store.failures.upsert([...this.#failures.values()]);
    if (this.#superseded.images.size > 0) await images.delete([...this.#superseded.images]);
    if (this.#superseded.captions.size > 0) await captions.delete([...this.#superseded.captions]);
    if (this.#settled.size > 0) await store.failures.delete([...this.#settled.values()]);
  }

  /** Resolves when all is written and counted. Never rejects: who waits asks the writer for its error. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Tells every runContext what has become of its items, and whoever waits that it is over. */
  end(isWritten: boolean): void {
    if (isWritten) {
      for (const { runContext, kind, counts } of this.#counts)
        for (const count of counts) runContext.add(count, kind);
    }
    this.#ended.resolve();
  }

  #list(failure: FailureRecord): void {
    this.#failures.set(failure.key, failure);
    this.#settled.delete(failure.key);
  }

  #settle(key: string, failure: FailureRecord | undefined): void {
    this.#failures.delete(key);
    if (failure) this.#settled.set(key, failure);
  }
}

async function upsert<Row>(table: RowWriter<Row>, rows: Rows<Row>, dimensions: number): Promise<void> {
  if (rows.size === 0) return;
  const results = [...rows.values()];
  const vectors = new Float32Array(results.length * dimensions);
  results.forEach(({ vector }, i) => {
    vectors.set(vector, i * dimensions);
  });
  await table.upsert({ rows: results.map(({ row }) => row), vectors });
}
