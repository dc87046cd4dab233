import { ahead } from './ahead.ts';
import { type Asked, ExportFolder, type Manifest } from './export-folder.ts';
import { KeySet } from './key-set.ts';
import { KEY_BYTES, type OutputTable } from './layouts.ts';
import { type Batch, type OutputFile, sliceBatch } from './output-file.ts';

export interface Exporting {
  /** An absolute path. */
  readonly out: string;
  readonly tables: readonly OutputTable[];
  /** Rows of a part at most. */
  readonly partRows: number;
  /** All that decides what is written, to tell whether an earlier call over the same folder goes on. */
  readonly asked: Asked;
  /** Versions of the tables that are read. */
  readonly versions: readonly number[];
  /** Stops; the part under way is written by the call that goes on. */
  readonly signal: AbortSignal;
  readonly onStart?: ((progress: () => ExportProgress) => void) | undefined;
}

export interface ExportProgress {
  /** Rows written now, and by an earlier call. */
  readonly written: number;
  readonly kept: number;
  readonly total: number;
  /** Rows a second. */
  readonly rate: number;
  readonly fraction: number;
  readonly secondsLeft: number | undefined;
}

export interface Exported extends ExportProgress {
  readonly isWhole: boolean;
  /** Rows and parts of each table. */
  readonly tables: Manifest['tables'];
  /** Whether the index has changed since the export was begun: parts of before are as it was then. */
  readonly hasChanged: boolean;
}

/**
 * Writes tables into a folder, part by part; the same call goes on where an earlier one was stopped or killed, and finds
 * nothing to do where one is whole and the index has not changed since. Memory holds a batch, and of a call that goes on 8
 * bytes a row. Throws RESULTS_CONFLICT, RESULTS_UNWRITABLE, and what reading throws.
 */
export async function exportTables(exporting: Exporting): Promise<Exported> {
  const folder = new ExportFolder(exporting.out);
  return folder.hold(() => writeAll(folder, exporting));
}

async function writeAll(folder: ExportFolder, exporting: Exporting): Promise<Exported> {
  const { tables, partRows, asked, versions, signal } = exporting;
  const whole = await folder.manifest();
  if (whole) return reportWhole(folder, whole, exporting);
  const before = await folder.begun();
  if (before) folder.requireSame(asked, before.asked);
  const counts = await Promise.all(tables.map(({ count }) => count()));
  const digits = before?.digits ?? digitsFor(Math.max(...counts, 0), partRows);
  await folder.begin({ asked, versions, digits });
  const hasChanged = before !== undefined && !isSame(before.versions, versions);
  const counter = new Counter(counts.reduce((sum, count) => sum + count, 0));
  exporting.onStart?.(() => counter.snapshot());
  const done: Record<string, { rows: number; parts: number }> = {};
  for (const table of tables) {
    if (signal.aborted) break;
    done[table.name] = await writeTable(folder, table, { partRows, digits, signal, counter });
  }
  const isWhole = !signal.aborted;
  if (isWhole) await folder.finish({ asked, versions, digits, tables: done });
  return { ...counter.snapshot(), isWhole, tables: done, hasChanged };
}

function reportWhole(folder: ExportFolder, whole: Manifest, { asked, versions }: Exporting): Exported {
  folder.requireSame({ ...asked, versions }, { ...whole.asked, versions: whole.versions });
  const kept = Object.values(whole.tables).reduce((sum, { rows }) => sum + rows, 0);
  const counter = new Counter(kept);
  counter.kept = kept;
  return { ...counter.snapshot(), isWhole: true, tables: whole.tables, hasChanged: false };
}

interface Writing {
  readonly partRows: number;
  readonly digits: number;
  readonly signal: AbortSignal;
  readonly counter: Counter;
}

async function writeTable(
  folder: ExportFolder,
  table: OutputTable,
  { partRows, digits, signal, counter }: Writing,
): Promise<{ rows: number; parts: number }> {
  const { keys: done, parts: before } = await KeySet.of(folder.partKeys(table.name, KEY_BYTES));
  counter.kept += done.size;
  let [parts, rows] = [before, done.size];
  let part: Part | undefined;
  // A part gets onto the disk while the next one is written; the one after that waits for it.
  let committed: Promise<void> = Promise.resolve();
  const end = async (): Promise<void> => {
    if (!part) return;
    const { keys } = await part.end();
    const ended = parts;
    part = undefined;
    parts += 1;
    rows += keys.length;
    await committed;
    committed = folder.commit(table.name, ended, { files: table.files, keys, digits });
    committed.catch(() => undefined);
  };
  try {
    for await (const read of ahead(table.read())) {
      if (signal.aborted) break;
      const batch = without(read, done);
      for (let from = 0; from < batch.keys.length; ) {
        part ??= await Part.begin(folder, table, parts);
        const to = Math.min(batch.keys.length, from + partRows - part.rows);
        await part.write(sliceBatch(batch, from, to));
        counter.written += to - from;
        from = to;
        if (part.rows === partRows) await end();
      }
    }
    if (signal.aborted) counter.written -= part?.rows ?? 0;
    // A table of no rows has one file of none, which says so.
    else if (parts === 0 && !part) part = await Part.begin(folder, table, parts);
    if (!signal.aborted) await end();
    await committed;
  } finally {
    await part?.abandon();
    await committed.catch(() => undefined);
  }
  return { rows, parts };
}

/** The files of a part, written side by side. */
class Part {
  readonly #files: readonly OutputFile[];
  readonly #keys: string[] = [];

  private constructor(files: readonly OutputFile[]) {
    this.#files = files;
  }

  static async begin(folder: ExportFolder, { files }: OutputTable, part: number): Promise<Part> {
    const begun: OutputFile[] = [];
    for (const kind of files) begun.push(await kind.create(folder.temporary(kind, part)));
    return new Part(begun);
  }

  get rows(): number {
    return this.#keys.length;
  }

  async write(batch: Batch): Promise<void> {
    await Promise.all(this.#files.map((file) => file.write(batch)));
    for (const key of batch.keys) this.#keys.push(key);
  }

  async end(): Promise<{ readonly keys: readonly string[] }> {
    for (const file of this.#files) await file.end();
    return { keys: this.#keys };
  }

  /** Gives the files back; what they hold is written again. */
  async abandon(): Promise<void> {
    for (const file of this.#files) await file.end().catch(() => undefined);
  }
}

/** A batch without the rows that earlier parts have. */
function without(batch: Batch, done: KeySet): Batch {
  if (done.size === 0) return batch;
  const left = batch.keys.flatMap((key, i) => (done.has(key) ? [] : [i]));
  if (left.length === batch.keys.length) return batch;
  const vectors = Object.entries(batch.vectors).map(([name, halves]) => {
    const width = halves.length / batch.keys.length;
    const kept = new Uint16Array(left.length * width);
    for (const [to, from] of left.entries())
      kept.set(halves.subarray(from * width, (from + 1) * width), to * width);
    return [name, kept] as const;
  });
  const pick = <T>(values: readonly T[]): T[] => left.map((i) => values[i] as T);
  const rows = batch.rows.length > 0 ? pick(batch.rows) : [];
  return { keys: pick(batch.keys), rows, vectors: Object.fromEntries(vectors) };
}

/** So many that the names are in order also when the table has doubled before all is written. */
function digitsFor(rows: number, partRows: number): number {
  return Math.max(2, String(Math.ceil((2 * rows) / partRows)).length);
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

class Counter {
  written = 0;
  kept = 0;
  readonly #total: number;
  readonly #began = performance.now();

  constructor(total: number) {
    this.#total = total;
  }

  snapshot(): ExportProgress {
    const { written, kept } = this;
    const rate = (1000 * written) / Math.max(1, performance.now() - this.#began);
    const total = Math.max(this.#total, written + kept);
    const left = total - written - kept;
    return {
      ...{ written, kept, total, rate },
      fraction: total > 0 ? (written + kept) / total : 1,
      secondsLeft: rate > 0 ? left / rate : undefined,
    };
  }
}
