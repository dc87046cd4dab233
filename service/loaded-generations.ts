import { type Device, resolveDevice } from '#devices/device.ts';
import type { EngineSetup } from '#engine/protocol.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import type { ModelFolder } from '#model/vlmo/folder.ts';
import { PREPROCESS_MODES, type PreprocessMode } from '#pictures/preprocess.ts';
import { pictureBatchSize } from '#pipeline/batch-size.ts';
import { Indexer } from '#pipeline/indexer.ts';
import { createChunkPlanner, type Planner } from '#pipeline/lookup.ts';
import { createResidentScorer, type ResidentScorer } from '#scorer/resident-scorer.ts';
import { openGenerationModel } from '#search/query.ts';
import type {
  CaptionRecord,
  GenerationRecord,
  GenerationTables,
  ImageRecord,
  Store,
} from '#store/contract.ts';
import { createPools, type Pools } from '#workers/threads/create-pools.ts';

/** A generation whose model is on its threads. */
export interface LoadedGeneration {
  readonly tables: GenerationTables;
  readonly model: ModelFolder;
  readonly pools: Pools;
  /** Pictures of one run of the model. */
  readonly batchSize: number;
  /** They load the vectors when they are first asked. */
  readonly scorers: Scorers;
  readonly plan: Planner;
  /** The indexer of all chunks; a new one after the store has refused a commit of the last one. */
  indexer(): Indexer;
}

export interface Scorers {
  readonly images: ResidentScorer<ImageRecord>;
  readonly captions: ResidentScorer<CaptionRecord>;
}

/** Models that stay loaded: more than the one that serves and the one that replaces it are rarely in use at once. */
const MAX_LOADED = 2;

interface Entry {
  readonly loading: Promise<LoadedGeneration>;
  users: number;
}

/** The generations in use, each loaded once; the one longest unused makes room for another. */
export class LoadedGenerations implements AsyncDisposable {
  readonly #store: Store;
  readonly #setup: EngineSetup;
  /** By name, the one used last at the end. */
  readonly #entries = new Map<string, Entry>();

  constructor(store: Store, setup: EngineSetup) {
    this.#store = store;
    this.#setup = setup;
  }

  /** Lends a generation for as long as the work takes. Throws what loading its model throws. */
  async use<T>(record: GenerationRecord, work: (loaded: LoadedGeneration) => Promise<T>): Promise<T> {
    const entry = this.#entry(record);
    entry.users += 1;
    try {
      return await work(await entry.loading);
    } finally {
      entry.users -= 1;
      await this.#makeRoom();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { loading } of this.#entries.values()) await unload(loading);
    this.#entries.clear();
  }

  #entry(record: GenerationRecord): Entry {
    const known = this.#entries.get(record.name);
    const entry = known ?? { loading: load(this.#store, this.#setup, record), users: 0 };
    this.#entries.delete(record.name);
    this.#entries.set(record.name, entry);
    // What could not be loaded may be there the next time.
    if (!known) entry.loading.catch(() => this.#entries.delete(record.name));
    return entry;
  }

  async #makeRoom(): Promise<void> {
    for (const [name, { loading, users }] of this.#entries) {
      if (this.#entries.size <= MAX_LOADED) return;
      if (users > 0) continue;
      this.#entries.delete(name);
      await unload(loading);
    }
  }
}

async function load(store: Store, setup: EngineSetup, record: GenerationRecord): Promise<LoadedGeneration> {
  const model = await openGenerationModel(record, record.modelPath);
  const tables = await store.tables(record);
  const device = await resolveDevice(setup.provider ?? 'cpu');
  const pools = await createPools(model, { ...setup, preprocess: modeOf(record) });
  const isGpu = (setup.provider ?? 'cpu') !== 'cpu';
  const indexerSetup = {
    ...{ store, tables, preprocess: pools.preprocess, inference: pools.inference },
    batchSize: setup.batchSize === 'auto' ? pictureBatchSize(model.config, isGpu) : setup.batchSize,
    pictureBytes: pictureValues(model.config),
  };
  let indexer = new Indexer(indexerSetup);
  return {
    ...{ tables, model, pools, batchSize: indexerSetup.batchSize },
    scorers: createScorers(tables, device),
    plan: createChunkPlanner(store, tables),
    indexer() {
      if (indexer.writer.hasFailed) indexer = new Indexer(indexerSetup);
      return indexer;
    },
  };
}

/** The fingerprint holds the mode too: one that is not known made no generation that opens. */
function modeOf({ name, preprocess }: GenerationRecord): PreprocessMode {
  const mode = PREPROCESS_MODES.find((candidate) => candidate === preprocess);
  if (mode) return mode;
  throw new Error(
    `Generation "${name}" has preprocessing "${preprocess}", which is not known: this is a bug`,
  );
}

function createScorers({ record, images, captions }: GenerationTables, device: Device): Scorers {
  const options = { device, dimensions: record.dimensions };
  return { images: createResidentScorer(images, options), captions: createResidentScorer(captions, options) };
}

async function unload(loading: Promise<LoadedGeneration>): Promise<void> {
  const loaded = await loading.catch(() => undefined);
  if (!loaded) return;
  await loaded.scorers.images[Symbol.asyncDispose]();
  await loaded.scorers.captions[Symbol.asyncDispose]();
  await loaded.pools[Symbol.asyncDispose]();
}
