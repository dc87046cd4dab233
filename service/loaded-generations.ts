import type { GenerationRecord, Store } from '#store/contract.ts';
import { createFetcher } from './fetcher.ts';
import { type LoadedGeneration, loadGeneration } from './loaded-generation.ts';
import type { Settings } from './settings.ts';

/** Models that stay loaded: more than the one that serves and the one that replaces it are rarely in use at once. */
const MAX_LOADED = 2;

interface Entry {
  readonly loading: Promise<LoadedGeneration>;
  users: number;
  /** Gives it back when nobody has used it for long. */
  idle?: NodeJS.Timeout;
}

/** The generations in use, each loaded once; the one longest unused makes room for another. */
export class LoadedGenerations implements AsyncDisposable {
  readonly #store: Store;
  readonly #settings: Settings;
  readonly #note: (line: string) => void;
  /** One of all generations: its limits are those of the program. */
  readonly #fetcher: ReturnType<typeof createFetcher>;
  /** By name and model, the one used last at the end. */
  readonly #entries = new Map<string, Entry>();
  /** Those that are being given back because nobody used them. */
  readonly #leaving = new Set<Promise<void>>();

  constructor(store: Store, settings: Settings, note: (line: string) => void = () => undefined) {
    this.#store = store;
    this.#settings = settings;
    this.#fetcher = createFetcher(settings);
    this.#note = note;
  }

  /** Lends a generation for as long as the work takes. Throws what loading what it needs throws. */
  async use<T>(record: GenerationRecord, work: (loaded: LoadedGeneration) => Promise<T>): Promise<T> {
    const entry = this.#entry(record);
    entry.users += 1;
    clearTimeout(entry.idle);
    try {
      return await work(await entry.loading);
    } finally {
      entry.users -= 1;
      if (entry.users === 0) this.#watchIdle(entry);
      await this.#makeRoom();
    }
  }

  /** Gives back what is loaded of a generation. Says whether nobody uses it. */
  async forget({ name }: GenerationRecord): Promise<boolean> {
    for (const [key, { loading, users }] of this.#entries) {
      if (!key.startsWith(`${name} `)) continue;
      if (users > 0) return false;
      this.#entries.delete(key);
      await unload(loading);
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { loading, idle } of entries) {
      clearTimeout(idle);
      await unload(loading);
    }
    await Promise.all(this.#leaving);
    await this.#fetcher[Symbol.asyncDispose]();
  }

  #entry(record: GenerationRecord): Entry {
    // A generation whose model has moved since is another one.
    const key = `${record.name} ${record.modelPath}`;
    const known = this.#entries.get(key);
    const entry = known ?? { loading: this.#load(record), users: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    // What could not be loaded may be there the next time.
    if (!known) entry.loading.catch(() => this.#entries.delete(key));
    return entry;
  }

  #watchIdle(entry: Entry): void {
    const { idleUnloadMinutes: minutes } = this.#settings;
    if (minutes === undefined) return;
    entry.idle = setTimeout(() => {
      const [key] = [...this.#entries].find(([, one]) => one === entry) ?? [];
      if (key === undefined || entry.users > 0) return;
      this.#entries.delete(key);
      const leaving = unload(entry.loading).catch(() => undefined);
      this.#leaving.add(leaving);
      void leaving.then(() => this.#leaving.delete(leaving));
    }, minutes * 60_000).unref();
  }

  async #load(record: GenerationRecord): Promise<LoadedGeneration> {
    const tables = { ...(await this.#store.tables(record)), record };
    return loadGeneration(this.#store, tables, this.#settings, this.#fetcher, this.#note);
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

async function unload(loading: Promise<LoadedGeneration>): Promise<void> {
  await (await loading.catch(() => undefined))?.[Symbol.asyncDispose]();
}
