import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage, VlmoError } from '#errors.ts';
import { type Columns, joinParquet, type Row, readParquet, writeParquet } from '#parquet.ts';

/**
 * Results on their way to a file. They are kept in parts beside it, each there whole or not at all, so that a run that was
 * killed goes on with the keys that no part has; the last step makes one file of the parts and takes them away.
 *
 *     results.parquet.parts/asked.json, 00000000.parquet, 00000001.parquet … ──► results.parquet
 */
export class ResultParts {
  readonly #out: string;
  readonly #columns: Columns;
  readonly #parts: string[];
  readonly #done: KeySet;

  private constructor(out: string, columns: Columns, parts: string[], done: KeySet) {
    this.#out = out;
    this.#columns = columns;
    this.#parts = parts;
    this.#done = done;
  }

  /**
   * Opens the parts of an output file, of an earlier run where there are some. `asked` tells two requests apart; the
   * columns of `key` tell rows apart. Throws RESULTS_CONFLICT where the parts are another request's, RESULTS_UNWRITABLE.
   */
  static async open(
    out: string,
    columns: Columns,
    key: readonly string[],
    asked: object,
  ): Promise<ResultParts> {
    const folder = folderOf(out);
    const parts = await writing(out, async () => {
      await mkdir(folder, { recursive: true });
      return (await readdir(folder)).filter((name) => /^\d{8}\.parquet$/.test(name)).sort();
    });
    await claim(out, folder, JSON.stringify(asked));
    const done = new KeySet();
    const paths = parts.map((name) => join(folder, name));
    for (const path of paths)
      for (const row of await readParquet(path, key)) done.add(keyText(key.map((name) => row[name] ?? null)));
    done.sort();
    return new ResultParts(out, columns, paths, done);
  }

  /** Whether an earlier run has the results of these values of the key. */
  has(...key: readonly (string | null)[]): boolean {
    return this.#done.has(keyText(key));
  }

  async write(rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    const name = `${String(this.#parts.length).padStart(8, '0')}.parquet`;
    const path = join(folderOf(this.#out), name);
    await writing(this.#out, () => writeParquet(path, this.#columns, rows));
    this.#parts.push(path);
  }

  /** What is written so far, by earlier runs too. */
  async *rows(columns: readonly string[]): AsyncGenerator<Row> {
    for (const path of this.#parts) yield* await readParquet(path, columns);
  }

  /** Makes the output file of all parts. */
  async finish(): Promise<void> {
    await writing(this.#out, async () => {
      await joinParquet(this.#out, this.#columns, this.#parts);
      await rm(folderOf(this.#out), { recursive: true });
    });
  }
}

function keyText(key: readonly unknown[]): string {
  return JSON.stringify(key);
}

function folderOf(out: string): string {
  return `${out}.parts`;
}

/** Notes what was asked, or holds it against what is noted. */
async function claim(out: string, folder: string, asked: string): Promise<void> {
  const path = join(folder, 'asked.json');
  const noted = await readFile(path, 'utf8').catch(() => undefined);
  if (noted === undefined) return writing(out, () => writeFile(path, asked));
  if (noted === asked) return;
  throw new VlmoError(
    'RESULTS_CONFLICT',
    `Cannot go on with "${out}": expected what was asked when it was begun (${noted}), received ${asked}; take "${folder}" away to begin again`,
  );
}

async function writing<T>(out: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw new VlmoError(
      'RESULTS_UNWRITABLE',
      `Cannot write "${out}": expected a place for a file and, until it is whole, its parts, received ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

/** Many keys by 64 bits of their digests: 8 bytes each, and no two alike among all that anyone has. */
class KeySet {
  #digests: bigint[] = [];
  #sorted = new BigUint64Array();

  add(key: string): void {
    this.#digests.push(digest(key));
  }

  sort(): void {
    this.#sorted = BigUint64Array.from(this.#digests).sort();
    this.#digests = [];
  }

  has(key: string): boolean {
    if (this.#sorted.length === 0) return false;
    const wanted = digest(key);
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] as bigint) < wanted) low = middle + 1;
      else high = middle;
    }
    return this.#sorted[low] === wanted;
  }
}

function digest(key: string): bigint {
  return createHash('sha256').update(key).digest().readBigUInt64LE();
}
