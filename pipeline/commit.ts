import type {
  CaptionRecord,
  FailureRecord,
  GenerationTables,
  ImageRecord,
  Store,
  VectorTable,
} from '#store/contract.ts';

/** Rows to write, by id: one commit holds an id once, and a later result is the newer one. */
type Rows<Row> = Map<string, { readonly row: Row; readonly vector: Float32Array }>;

/** What one commit writes. */
export class Commit {
  readonly images: Rows<ImageRecord> = new Map();
  readonly captions: Rows<CaptionRecord> = new Map();
  readonly failures: FailureRecord[] = [];
  /** Failures that a success has made untrue. */
  readonly settled: FailureRecord[] = [];
  /** What is stored under the id of an item that fails now. */
  readonly superseded = { images: [] as string[], captions: [] as string[] };

  get size(): number {
    return this.images.size + this.captions.size + this.failures.length + this.settled.length;
  }

  /**
   * Vectors before anything that refers to them, new records before old ones go: a crash between two steps leaves an
   * item unfinished and never lost.
   */
  async write(store: Store, { images, captions, record }: GenerationTables): Promise<void> {
    await upsert(images, this.images, record.dimensions);
    await upsert(captions, this.captions, record.dimensions);
    if (this.failures.length > 0) await store.failures.upsert(this.failures);
    if (this.superseded.images.length > 0) await images.delete(this.superseded.images);
    if (this.superseded.captions.length > 0) await captions.delete(this.superseded.captions);
    if (this.settled.length > 0) await store.failures.delete(this.settled);
  }
}

async function upsert<Row extends { readonly id: string }>(
  table: VectorTable<Row>,
  rows: Rows<Row>,
  dimensions: number,
): Promise<void> {
  if (rows.size === 0) return;
  const results = [...rows.values()];
  const vectors = new Float32Array(results.length * dimensions);
  results.forEach(({ vector }, i) => {
    vectors.set(vector, i * dimensions);
  });
  await table.upsert({ rows: results.map(({ row }) => row), vectors });
}
