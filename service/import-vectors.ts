import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { VlmoError } from '#errors.ts';
import { type ImportedRow, importedRow, type RowContext } from '#exports/imported-rows.ts';
import { SeenKeys } from '#exports/seen-keys.ts';
import { type Checked, toUnitLength } from '#exports/unit-length.ts';
import {
  openVectorFolder,
  readVectorRows,
  type VectorFolder,
  type VectorRows,
} from '#exports/vector-folder.ts';
import { floatToHalf, halfToFloat } from '#float16.ts';
import { storedPlace } from '#model/bundled.ts';
import { fingerprint, foreignFingerprint } from '#model/fingerprint.ts';
import type { Model } from '#model/model.ts';
import { PREPROCESS_MODES } from '#pictures/preprocess.ts';
import { Commit } from '#pipeline/commit.ts';
import { type Progress, ProgressCounter } from '#pipeline/progress.ts';
import type { RunContext } from '#pipeline/run-context.ts';
import { beginRun } from '#runs/begin.ts';
import { holdLease, type RunCounts } from '#runs/lease.ts';
import { pruneFailures } from '#runs/prune-failures.ts';
import { requirePlace } from '#runs/require-place.ts';
import { RunWatch } from '#runs/run-watch.ts';
import type {
  CaptionRecord,
  FailureRecord,
  GenerationSpec,
  GenerationTables,
  ImageRecord,
  RunRecord,
  RunState,
  Store,
} from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import type { ImportOptions, VectorsImported } from './contract.ts';
import type { IndexParts } from './index-parts.ts';
import { openEmbeddingModel } from './open-target.ts';

const NEVER = new AbortController().signal;
/** Rows looked up and written at a time: each commit reads the keys of all that is stored. */
const MOST_ROWS = 16_384;
/** Values of the vectors in hand, at 4 bytes. */
const MOST_VALUES = 4_000_000;

/**
 * Stores vectors that were computed elsewhere, of a folder in clip-retrieval's layout. Every picture and caption is
 * stored, skipped because it is stored as it is, or listed as failed. Nothing is written where the files do not go together.
 */
export async function importVectors(
  { store, settings }: IndexParts,
  folder: string,
  options: ImportOptions = {},
): Promise<VectorsImported> {
  const { collection = 'default', sourceName, signal = NEVER } = options;
  const place = resolve(folder);
  const vectors = await openVectorFolder(place);
  const named = options.model ?? settings.model;
  const model = named === undefined ? undefined : await openEmbeddingModel(named);
  const spec = await toSpec(place, vectors, collection, model);
  await requireOwnGeneration(store, spec);
  await requirePlace(store, sourceName ?? place, place);
  const tables = await store.openGeneration(spec);
  return new VectorImport(store, tables, vectors, { ...options, folder: place, signal }).run();
}

/**
 * The generation of the vectors: that of the model which is named, where the folder says that it made them, one of vectors of
 * that model's by word alone, or one of no model. Throws SEARCH_MODEL_MISMATCH for a model of another length.
 */
async function toSpec(
  folder: string,
  { dimensions }: VectorFolder,
  collection: string,
  model: Model | undefined,
): Promise<GenerationSpec> {
  const known = { collection, dimensions, preprocess: 'fast' };
  if (!model)
    return { ...known, fingerprint: foreignFingerprint(dimensions), modelName: 'unknown', modelPath: '' };
  if (model.dimensions !== dimensions) {
    throw new VlmoError(
      'SEARCH_MODEL_MISMATCH',
      `Cannot import vectors from "${folder}" for model "${model.name}": expected ${model.dimensions} values, as it makes, received ${dimensions}`,
    );
  }
  const own = { ...known, modelName: model.name, modelPath: storedPlace(model.path) };
  const said = await madeBy(folder);
  for (const preprocess of PREPROCESS_MODES)
    if ((await fingerprint(model, preprocess)) === said) return { ...own, preprocess, fingerprint: said };
  return { ...own, fingerprint: foreignFingerprint(dimensions, await fingerprint(model, 'fast')) };
}

/** The fingerprint that an export of ours has written down. */
async function madeBy(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'export.json'), 'utf8').catch(() => '');
  return /"fingerprint": "([0-9a-f]{64})"/.exec(text)?.[1];
}

/** Vectors of two models never meet, and what serves is not replaced by what nobody can tell the model of. */
async function requireOwnGeneration(
  store: Store,
  { collection, fingerprint: made }: GenerationSpec,
): Promise<void> {
  const served = await store.activeGeneration(collection);
  if (!served || served.fingerprint === made) return;
  throw new VlmoError(
    'STORE_GENERATION_CONFLICT',
    `Cannot import vectors into collection "${collection}": it is served by vectors of model "${served.modelName}"; name another one with --collection`,
  );
}

interface ImportSetup extends ImportOptions {
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** An item of a row, its vector, and what was found wrong with it. */
interface Candidate<Row> {
  readonly row: Row;
  readonly vector: Float32Array;
  readonly checked: Checked;
  /** Part and place of the row. */
  readonly place: string;
}

class VectorImport {
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
    for (const { row, vector, checked, place } of candidates) {
      const failure = known.get(row.key);
      const fail = (id: string, code: FailureRecord['code'], message: string): FailureRecord => ({
        ...{ collection, source: row.source, id, uri: row.uri, code, message },
        ...{
          kind: id === row.id ? kind : 'broken',
          attempts: (failure?.attempts ?? 0) + 1,
          retriable: false,
        },
        key: itemKey(row.source, id === row.id ? kind : 'broken', id),
        ...{ sha256: null, stamp: null, item: null, failedAt: new Date() },
        ...{ run: runContext.run, runNumber: runContext.runNumber },
      });
      const before = stored.get(row.key);
      if (!this.#seen.add(row.key)) {
        const message = `Cannot import row ${place}: expected an id of its own, received "${row.id}", which a row before it has`;
        commit.addFailure(runContext, fail(`${place} ${kind}`, 'SOURCE_ROW_INVALID', message), false);
      } else if (checked === 'not finite' || checked === 'all 0') {
        const received = checked === 'all 0' ? 'one that is all 0' : 'NaN or infinity';
        const message = `Cannot import "${row.id}" (row ${place}): expected a vector of finite numbers that are not all 0, received ${received}`;
        commit.addFailure(runContext, fail(row.id, 'VECTOR_INVALID', message), before !== undefined);
      } else {
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
