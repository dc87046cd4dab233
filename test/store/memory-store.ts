import { VlmoError } from '#errors.ts';
import { floatToHalf, halfToFloat } from '#float16.ts';
import type {
  CaptionRecord,
  CaptionTable,
  CaptionWithVector,
  ChunkRecord,
  ChunkResult,
  FailureRecord,
  FailureTable,
  Filter,
  GenerationRecord,
  GenerationTables,
  ImageRecord,
  ItemRow,
  Ledger,
  Neighbour,
  RowKey,
  RunRecord,
  RunTable,
  Store,
  StoredCalibration,
  VectorTable,
} from '#store/contract.ts';
import { byPlace, itemKey, pictureKey, toPlaceText } from '#store/item-key.ts';
import { addKinds, NO_KINDS } from '#store/kind-counts.ts';
import { foldText, termsOf, termsOfWord } from '#store/words.ts';
import { passes } from './evaluate-filter.ts';

/** A store in the memory of one process: the contract by its plainest means, to hold LanceDB against. */
export function openMemoryStore(id = '0'.repeat(32)): Store {
  const generations = new Map<string, GenerationTables>();
  const active = new Map<string, string>();
  const calibrations = new Map<string, StoredCalibration>();
  const store: Store = {
    ...{ uri: 'memory:', id, failures: createFailures(), runs: createRuns(), ledger: createLedger() },
    calibrations: {
      find: async (fingerprint) => calibrations.get(fingerprint),
      async put(record) {
        calibrations.set(record.fingerprint, record);
      },
    },
    isWritable: true,
    requireFormat: async () => {},
    generations: async () => Array.from(generations.values(), ({ record }) => record),
    collections: async () => [...active.keys()].sort(),
    activeGeneration: async (collection) => generations.get(active.get(collection) ?? '')?.record,
    async openGeneration(spec) {
      const name = `${spec.collection}.${spec.fingerprint.slice(0, 12)}`;
      const known = generations.get(name);
      const record: GenerationRecord = { ...spec, name, createdAt: known?.record.createdAt ?? new Date() };
      const tables = {
        record,
        images: known?.images ?? createTable<ImageRecord>(spec.dimensions),
        captions: known?.captions ?? createCaptions(spec.dimensions),
      };
      generations.set(name, tables);
      if (!active.has(spec.collection)) active.set(spec.collection, name);
      return tables;
    },
    async tables({ name }) {
      const tables = generations.get(name);
      if (!tables) throw new Error(`No generation ${name}`);
      return tables;
    },
    pendingRename: async () => undefined,
    async renameSource({ from, to }) {
      for (const { images, captions } of generations.values()) {
        await rewrite(images, (row) => moved(row, 'image', from, to));
        await rewrite(captions, (row) => {
          const placed = row.imageSource === from ? { ...row, imageSource: to } : row;
          return moved(placed, 'caption', from, to);
        });
      }
      for await (const failure of store.failures.scan()) {
        const item = failure.item === null ? null : (JSON.parse(failure.item) as { imageSource?: string });
        const placed = item?.imageSource === from ? { ...item, imageSource: to } : item;
        const renamed = moved({ ...failure, item: placed && JSON.stringify(placed) }, failure.kind, from, to);
        await store.failures.delete([failure]);
        await store.failures.upsert([renamed]);
      }
      for await (const run of store.runs.scan())
        if (run.source === from) await store.runs.upsert({ ...run, source: to });
    },
    async drop({ name }) {
      generations.delete(name);
    },
    async activate({ collection, name }) {
      active.set(collection, name);
    },
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
  return store;
}

function moved<Row extends ItemRow>(row: Row, kind: FailureRecord['kind'], from: string, to: string): Row {
  return row.source === from ? { ...row, source: to, key: itemKey(to, kind, row.id) } : row;
}

async function rewrite<Row extends ItemRow>(
  table: VectorTable<Row>,
  change: (row: Row) => Row,
): Promise<void> {
  for await (const { key, ...row } of table.scan()) {
    const vectors = (await table.vector(key)) ?? new Float32Array();
    const changed = change({ ...row, key } as Row);
    await table.delete([key]);
    await table.upsert({ rows: [changed], vectors });
  }
}

interface Entry<Row> {
  readonly row: Row;
  readonly halves: Uint16Array;
  readonly address: bigint;
}

function createTable<Row extends ItemRow & RowKey>(dimensions: number): VectorTable<Row> {
  const entries = new Map<string, Entry<Row>>();
  let version = 0;
  let addresses = 0n;
  const matching = (where?: Filter): Entry<Row>[] =>
    [...entries.values()].filter(({ row }) => where === undefined || passes(where, row));
  const table: VectorTable<Row> = {
    find: async (keys) =>
      new Map(keys.flatMap((key) => mapped(entries.get(key), ({ row }) => [key, row] as const))),
    async rowsAt(wanted) {
      const rows = matching().map(({ address, row }) => [address, row] as const);
      return new Map(rows.filter(([address]) => wanted.includes(address)));
    },
    async *scan(where) {
      for (const { row } of matching(where)) yield row;
    },
    count: async (where) => matching(where).length,
    async *scanTexts<Name extends string>(columns: readonly Name[], where?: Filter) {
      yield matching(where).map(({ row }) => {
        const texts = row as unknown as Record<Name, string>;
        return Object.fromEntries(columns.map((name) => [name, texts[name]])) as Record<Name, string>;
      });
    },
    async countBySource() {
      const groups = Map.groupBy(matching(), ({ row }) => row.source);
      return new Map(Array.from(groups, ([source, rows]) => [source, rows.length]));
    },
    async upsert({ rows, vectors }) {
      assertBatch(rows, vectors, dimensions);
      const stored = rows.map((row) => structuredClone({ ...row, meta: asJson(row) }));
      stored.forEach((row, i) => {
        const halves = floatToHalf(vectors.slice(i * dimensions, (i + 1) * dimensions));
        entries.delete(row.key);
        entries.set(row.key, { row, halves, address: addresses++ });
      });
      version += 1;
    },
    async delete(keys) {
      for (const key of keys) entries.delete(key);
      version += 1;
    },
    async deleteUnchanged(given) {
      for (const { key, run } of given) if (entries.get(key)?.row.run === run) entries.delete(key);
      version += 1;
    },
    async *scanKeys(where) {
      yield matching(where).map(({ row: { key, run } }) => ({ key, run }));
    },
    optimize: async () => {},
    vector: async (key) => (await table.findVectors([key])).get(key),
    findVectors: async (keys) =>
      new Map(keys.flatMap((key) => mapped(entries.get(key), (e) => [key, halfToFloat(e.halves)] as const))),
    async *scanKeyedVectors(where) {
      for await (const { rows, halves } of table.scanVectors(where))
        yield { keys: rows.map(({ key }) => key), halves };
    },
    async *scanVectors(where) {
      const all = matching(where);
      if (all.length > 0) yield { rows: all.map(({ row }) => row), halves: joined(all) };
    },
    version: async () => version,
    addresses: async (where) => BigUint64Array.from(matching(where), ({ address }) => address),
    async *vectors(wanted) {
      const asked = wanted && new Set(wanted);
      const all = matching().filter(({ address }) => asked?.has(address) ?? true);
      const ids = all.map(({ row }) => toPlaceText(row));
      yield { addresses: BigUint64Array.from(all, ({ address }) => address), ids, halves: joined(all) };
    },
    async nearest(query, { k, where }) {
      if (query.length !== dimensions) throw new Error(`expected ${dimensions} values`);
      const scored = matching(where).map(({ row, halves }): Neighbour<Row> => {
        const vector = halfToFloat(halves);
        return { row, score: query.reduce((sum, value, i) => sum + value * (vector[i] as number), 0) };
      });
      return scored.sort((a, b) => b.score - a.score || byPlace(a.row, b.row)).slice(0, k);
    },
    nearestApproximate: (query, options) => table.nearest(query, options),
    vectorIndex: async () => undefined,
    buildVectorIndex: async () => {},
    dropVectorIndex: async () => {},
  };
  return table;
}

function createCaptions(dimensions: number): CaptionTable {
  const table = createTable<CaptionRecord>(dimensions);
  return {
    ...table,
    async firstOfImages(imageKeys) {
      const all: CaptionRecord[] = [];
      for await (const row of table.scan()) all.push(row);
      const sorted = all.sort((a, b) => (a.id < b.id ? 1 : -1));
      return new Map(
        sorted.flatMap((row) => {
          const key = pictureKey(row);
          return key !== null && imageKeys.includes(key) ? [[key, row.caption]] : [];
        }),
      );
    },
    async firstRowsOfImages(imageKeys) {
      const found = new Map<string, CaptionWithVector>();
      for await (const { rows, halves } of table.scanVectors())
        for (const [i, row] of rows.entries()) {
          const key = pictureKey(row);
          const known = found.get(key ?? '');
          if (key === null || !imageKeys.includes(key) || (known && known.row.id <= row.id)) continue;
          found.set(key, { row, halves: halves.subarray(i * dimensions, (i + 1) * dimensions) });
        }
      return found;
    },
    async *keysOfImages(imageKeys) {
      for await (const row of table.scan()) if (imageKeys.includes(pictureKey(row) ?? '')) yield row.key;
    },
    async *matching(word) {
      const { terms, runs } = termsOfWord(word);
      for await (const { key, imageSource, imageId, caption } of table.scan()) {
        const held = new Set(termsOf(caption));
        const isHeld = terms.every((term) => held.has(term));
        if (isHeld && terms.length > 0 && runs.every((run) => foldText(caption).includes(run)))
          yield { key, imageSource, imageId };
      }
    },
  };
}

function createFailures(): FailureTable {
  type Key = Pick<FailureRecord, 'collection' | 'key'>;
  const records = new Map<string, FailureRecord>();
  const keyOf = ({ collection, key }: Key): string => `${collection} ${key}`;
  const of = (collection?: string): FailureRecord[] =>
    [...records.values()].filter((record) => collection === undefined || record.collection === collection);
  return {
    find: async (collection, keys) => of(collection).filter(({ key }) => keys.includes(key)),
    async upsert(given) {
      if (new Set(given.map(keyOf)).size < given.length) throw new Error('one key twice, this is a bug');
      for (const record of given) {
        const known = records.get(keyOf(record))?.runNumber ?? 0;
        if (known <= (record.runNumber ?? known)) records.set(keyOf(record), record);
      }
    },
    async delete(keys) {
      for (const key of keys) records.delete(keyOf(key));
    },
    async deleteOfRuns(collection, runs, source) {
      for (const record of of(collection)) {
        const isMeant = runs.includes(record.run) && (source ?? record.source) === record.source;
        if (isMeant) records.delete(keyOf(record));
      }
    },
    count: async (collection) => of(collection).length,
    async *scan(collection) {
      yield* of(collection);
    },
    optimize: async () => {},
  };
}

function createRuns(): RunTable {
  const records = new Map<string, RunRecord>();
  return {
    async begin(record) {
      const begun = { ...record, number: records.size + 1 };
      records.set(record.id, begun);
      return begun;
    },
    async upsert(record) {
      records.set(record.id, record);
    },
    async update(record, owner) {
      const known = records.get(record.id);
      const isOwn = known?.state === 'running' && known.owner === owner;
      if (isOwn) records.set(record.id, record);
      return isOwn;
    },
    find: async (id) => records.get(id),
    async *scan({ kind, state } = {}) {
      for (const record of records.values())
        if ((kind ?? record.kind) === record.kind && (state ?? record.state) === record.state) yield record;
    },
  };
}

function createLedger(): Ledger {
  const chunks = new Map<string, ChunkRecord>();
  const results = new Map<string, ChunkResult>();
  const keyOf = (run: string, chunk: string): string => JSON.stringify([run, chunk]);
  const of = (run: string): ChunkRecord[] => [...chunks.values()].filter((chunk) => chunk.run === run);
  async function remove(run: string, ids: readonly string[]): Promise<void> {
    for (const id of ids) for (const kept of [chunks, results]) kept.delete(keyOf(run, id));
  }
  return {
    async addChunks(given) {
      for (const chunk of given)
        if (!chunks.has(keyOf(chunk.run, chunk.id))) chunks.set(keyOf(chunk.run, chunk.id), chunk);
    },
    async settle(given) {
      for (const result of given) {
        const key = keyOf(result.run, result.chunk);
        if (!results.has(key)) results.set(key, result);
      }
    },
    async tally(run, now = new Date()) {
      const sums = { chunks: 0, items: 0, stored: 0, skipped: 0, failed: 0, recent: 0 };
      let kinds = NO_KINDS;
      for (const { id, items } of of(run)) {
        sums.chunks += 1;
        sums.items += items;
        const result = results.get(keyOf(run, id));
        for (const count of ['stored', 'skipped', 'failed'] as const) sums[count] += result?.[count] ?? 0;
        kinds = addKinds(kinds, result?.kinds ?? NO_KINDS);
        if (result && result.at.getTime() >= now.getTime() - 60_000) sums.recent += items;
      }
      return { ...sums, kinds };
    },
    async *ids(run) {
      for (const { id } of of(run)) yield id;
    },
    async *unsettled(run) {
      for (const { id } of of(run)) if (!results.has(keyOf(run, id))) yield id;
    },
    find: async (run, ids) => of(run).filter(({ id }) => ids.includes(id)),
    remove,
    drop: (run) => remove(run, [...of(run).map(({ id }) => id)]),
  };
}

function assertBatch(rows: readonly ItemRow[], vectors: Float32Array, dimensions: number): void {
  if (new Set(rows.map(({ key }) => key)).size < rows.length) throw new Error('one key twice, this is a bug');
  if (vectors.length !== rows.length * dimensions)
    throw new Error(`expected ${rows.length} x ${dimensions} values`);
  for (let row = 0; row < rows.length; row++) {
    const length = Math.hypot(...vectors.subarray(row * dimensions, (row + 1) * dimensions));
    if (!(Math.abs(length - 1) < 1e-3)) throw new Error(`expected unit length, received ${length}`);
  }
}

function asJson(row: object): unknown {
  try {
    return JSON.parse(JSON.stringify('meta' in row ? row.meta : {}));
  } catch (cause) {
    throw new VlmoError('STORE_ROW_INVALID', 'Cannot store a row: expected plain JSON', { cause });
  }
}

function joined(entries: readonly { readonly halves: Uint16Array }[]): Uint16Array {
  return Uint16Array.from(entries.flatMap(({ halves }) => [...halves]));
}

function mapped<T, U>(value: T | undefined, map: (value: T) => U): U[] {
  return value === undefined ? [] : [map(value)];
}
