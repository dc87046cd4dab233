import { type ImportedRow, importedRow, type RowContext } from '#exports/imported-rows.ts';
import { SeenKeys } from '#exports/seen-keys.ts';
import { toUnitLength } from '#exports/unit-length.ts';
import { readVectorRows, type VectorFolder, type VectorRows } from '#exports/vector-folder.ts';
import { floatToHalf, halfToFloat } from '#float16.ts';
import { Commit } from '#pipeline/commit.ts';
import { type Progress, ProgressCounter } from '#pipeline/progress.ts';
import type { RunContext } from '#pipeline/run-context.ts';
import { beginRun } from '#runs/begin.ts';
import { holdLease, type RunCounts } from '#runs/lease.ts';
import { pruneFailures } from '#runs/prune-failures.ts';
import { RunWatch } from '#runs/run-watch.ts';
import type {
  CaptionRecord,
  GenerationTables,
  ImageRecord,
  RunRecord,
  RunState,
  Store,
} from '#store/contract.ts';
import type { ImportOptions, VectorsImported } from './contract.ts';
import { type Candidate, refusalOf, toFailure } from './import-refusal.ts';

/** Rows looked up and written at a time: each commit reads the keys of all that is stored. */
const MOST_ROWS = 16_384;
/** Values of the vectors in hand, at 4 bytes. */
const MOST_VALUES = 4_000_000;

interface ImportSetup extends ImportOptions {
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** One run over a folder of vectors. */
export class VectorImport {
  readonly #store: Store;
  readonly #tables: GenerationTables;
  readonly #vectors: VectorFolder;
  readonly #setup: ImportSetup;
  readonly #seen: SeenKeys;
  #read = 0;
  #normalised = 0;

  constructor(store: Store, tables: GenerationTables, vectors: VectorFolder, setup: ImportSetup) {
    this.#store = store;
    this.#tables = tables;
    this.#vectors = vectors;
    this.#setup = setup;
    this.#seen = new SeenKeys(2 * vectors.rows);
  }

  async run(): Promise<VectorsImported> {
    const { folder, sourceName, signal, onStart } = this.#setup;
    const begun = performance.now();
    const { rows, parts, dimensions } = this.#vectors;
    const progress = new ProgressCounter(() => (rows > 0 ? this.#read / rows : 1));
    const run = await beginRun(this.#store, {
      ...{ kind: 'direct', source: sourceName ?? folder, place: folder },
      ...{ generation: this.#tables.record, options: { vectors: true } },
    });
    const end = (state: RunState): Promise<void> =>
      this.#store.runs.upsert({
        ...{ ...run, ...toCounts(progress.snapshot()), state },
        ...{ endedAt: new Date(), owner: null, lease: null },
      });
    const lease = holdLease(this.#store, run, () => toCounts(progress.snapshot()));
    try {
      onStart?.(() => progress.snapshot());
      await this.#write(run, progress);
      if (!signal.aborted) await pruneFailures(this.#store, run, new RunWatch());
      await this.#tables.images.optimize();
      await this.#tables.captions.optimize();
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      await end('failed').catch(() => undefined);
      throw error;
    }
    await lease[Symbol.asyncDispose]();
    const state = signal.aborted ? 'interrupted' : 'complete';
    await end(state);
    return {
      ...progress.snapshot(),
      ...{ run: run.id, source: run.source, state, generation: this.#tables.record },
      ...{ rows, parts: parts.length, dimensions, normalised: this.#normalised },
      seconds: (performance.now() - begun) / 1000,
    };
  }

  async #write(run: RunRecord, progress: ProgressCounter): Promise<void> {
    const { folder, sourceName, signal } = this.#setup;
    const [first] = this.#vectors.parts;
    const context = { run: run.id, runNumber: run.number, retryFailed: true } as const;
    const runContext: RunContext = {
      ...context,
      add: (count, kind, items) => progress.add(count, kind, items),
    };
    const rowContext: RowContext = {
      ...{ folder, sourceName, run: run.id, now: run.startedAt },
      ...{ hasImages: first?.image !== undefined, hasTexts: first?.text !== undefined },
    };
    for await (const rows of readVectorRows(this.#vectors, rowsAtOnce(this.#vectors))) {
      if (signal.aborted) return;
      const { images, captions } = this.#candidates(rows, rowContext);
      const commit = new Commit();
      await this.#add(commit, runContext, 'image', images);
      await this.#add(commit, runContext, 'caption', captions);
      this.#read += rows.count;
      progress.add('seen', 'image', images.length);
      progress.add('seen', 'caption', captions.length);
      await commit.write(this.#store, this.#tables);
      commit.end(true);
    }
  }

  /** The items of rows. A caption of zeros is what a row without one has. */
  #candidates(rows: VectorRows, context: RowContext) {
    const images: Candidate<ImageRecord>[] = [];
    const captions: Candidate<CaptionRecord>[] = [];
    const { dimensions } = this.#vectors;
    for (const [i, metadata] of rows.metadata.entries()) {
      const place = `${rows.part}/${rows.from + i}`;
      const found: ImportedRow = importedRow(metadata, place, context);
      const take = <Row>(row: Row, all: Float32Array, width: 2 | 4): Candidate<Row> => {
        const vector = all.subarray(i * dimensions, (i + 1) * dimensions);
        return { row, vector, place, checked: toUnitLength(vector, width) };
      };
      if (found.image && rows.image) images.push(take(found.image, rows.image.vectors, rows.image.width));
      if (found.caption && rows.text) captions.push(take(found.caption, rows.text.vectors, rows.text.width));
    }
    return { images, captions };
  }

  async #add<Kind extends 'image' | 'caption'>(
    commit: Commit,
    runContext: RunContext,
    kind: Kind,
    candidates: readonly Candidate<Kind extends 'image' ? ImageRecord : CaptionRecord>[],
  ): Promise<void> {
    const { collection } = this.#tables.record;
    const table = kind === 'image' ? this.#tables.images : this.#tables.captions;
    const keys = candidates.map(({ row }) => row.key);
    const stored: ReadonlyMap<string, ImageRecord | CaptionRecord> = await table.find(keys);
    const vectors = await table.findVectors([...stored.keys()]);
    const known = new Map(
      (await this.#store.failures.find(collection, keys)).map((failure) => [failure.key, failure]),
    );
    for (const candidate of candidates) {
      const { row, vector, checked } = candidate;
      const failure = known.get(row.key);
      const before = stored.get(row.key);
      const refusal = refusalOf(candidate, kind, this.#seen);
      if (refusal) {
        const attempts = (failure?.attempts ?? 0) + 1;
        const listed = toFailure(refusal, { collection, kind, row, attempts, runContext });
        commit.addFailure(runContext, listed, refusal.isItem && before !== undefined);
        continue;
      }
      if (checked === 'normalised') this.#normalised += 1;
      if (before && isSame(before, row) && isSameVector(vectors.get(row.key), vector)) {
        if (failure) commit.addSettled(runContext, failure);
        else runContext.add('skipped', kind);
      } else if (kind === 'image') {
        commit.addImage(runContext, row as ImageRecord, vector, failure, 'stored');
      } else {
        commit.addCaption(runContext, row as CaptionRecord, vector, failure);
      }
    }
  }
}

function rowsAtOnce({ dimensions }: VectorFolder): number {
  return Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_VALUES / dimensions)));
}

/** Whether a row says what is stored, whoever wrote it and when. */
function isSame(stored: ImageRecord | CaptionRecord, row: ImageRecord | CaptionRecord): boolean {
  return JSON.stringify(contentOf(stored)) === JSON.stringify(contentOf(row));
}

function contentOf(record: ImageRecord | CaptionRecord): readonly unknown[] {
  const { source, id, uri, meta } = record;
  if ('caption' in record) return [source, id, uri, meta, record.caption, record.imageSource, record.imageId];
  return [source, id, uri, meta, record.width, record.height, record.bytes, record.sha256, record.format];
}

function isSameVector(stored: Float32Array | undefined, vector: Float32Array): boolean {
  const rounded = halfToFloat(floatToHalf(vector));
  return stored?.every((value, i) => value === rounded[i]) ?? false;
}

function toCounts({ seen, stored, skipped, failed, kinds }: Progress): RunCounts {
  return { seen, stored, skipped, failed, kinds, truncated: null };
}
