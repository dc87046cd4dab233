import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorMessage, VlmoError } from '#errors.ts';
import { withLock } from '#lock-file.ts';
import { type FileKind, partPath, syncFile } from './output-file.ts';

/** What tells two exports apart. */
export type Asked = Readonly<Record<string, unknown>>;

/** How an export was begun. */
export interface Begun {
  readonly asked: Asked;
  /** Versions of the tables when it was begun, or gone on with. */
  readonly versions: readonly number[];
  /** Digits of the numbers of its parts. */
  readonly digits: number;
}

/** What a whole export holds, in `export.json`. */
export interface Manifest extends Begun {
  /** Rows and files of each table. */
  readonly tables: Readonly<Record<string, { readonly rows: number; readonly parts: number }>>;
}

const MANIFEST = 'export.json';
const WORK = '.vlmo-export';
const LOCK = `${WORK}.lock`;

/**
 * The folder of an export. Files lie in `.vlmo-export` until their part is whole, and then are renamed; the keys of a part
 * come last, and say that it is done:
 *
 *     .vlmo-export/begun.json, images_00.keys, images_01.keys, images_2.parquet.new …
 *     images/images_00.parquet, images/images_01.parquet …
 *     export.json                 when all is whole; .vlmo-export goes
 */
export class ExportFolder {
  readonly #out: string;

  constructor(out: string) {
    this.#out = out;
  }

  /** Does the work while no other process writes into the folder. Throws RESULTS_CONFLICT, RESULTS_UNWRITABLE. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    return this.#writing(async () => {
      await mkdir(this.#out, { recursive: true });
      await this.#requireOwn();
      return withLock(join(this.#out, LOCK), async () => {
        if (!(await this.manifest())) await mkdir(join(this.#out, WORK), { recursive: true });
        const done = await work();
        if (await this.manifest()) await rm(join(this.#out, WORK), { recursive: true, force: true });
        return done;
      });
    });
  }

  /** What is said of an export that is whole. */
  async manifest(): Promise<Manifest | undefined> {
    return readJson<Manifest>(join(this.#out, MANIFEST));
  }

  async begun(): Promise<Begun | undefined> {
    return readJson<Begun>(join(this.#out, WORK, 'begun.json'));
  }

  begin(begun: Begun): Promise<void> {
    return this.#put(join(WORK, 'begun.json'), JSON.stringify(begun));
  }

  async finish(manifest: Manifest): Promise<void> {
    await this.#put(MANIFEST, `${JSON.stringify(manifest, undefined, 2)}\n`);
  }

  /** Keys of the rows of each part of a table that is whole, in order. */
  async *partKeys(table: string, keyBytes: number): AsyncGenerator<readonly string[]> {
    for (const name of await this.#keyFiles(table)) {
      const text = await readFile(join(this.#out, WORK, name), 'latin1');
      yield Array.from({ length: text.length / keyBytes }, (_, i) =>
        text.slice(i * keyBytes, (i + 1) * keyBytes),
      );
    }
  }

  /** Where a file of a part is written before it is whole. */
  temporary(kind: FileKind, part: number): string {
    return join(this.#out, WORK, `${basename(partPath(kind, part, 0))}.new`);
  }

  /** Gives the files of a part their names. */
  async commit(
    table: string,
    part: number,
    { files, keys, digits }: { files: readonly FileKind[]; keys: readonly string[]; digits: number },
  ): Promise<void> {
    await Promise.all(files.map((kind) => syncFile(this.temporary(kind, part))));
    for (const kind of files) {
      const path = join(this.#out, partPath(kind, part, digits));
      await mkdir(join(this.#out, kind.name), { recursive: true });
      await rename(this.temporary(kind, part), path);
    }
    await this.#put(join(WORK, `${table}_${String(part).padStart(8, '0')}.keys`), keys.join(''));
  }

  /** Errors of the disk in our words. */
  async #writing<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error instanceof VlmoError) throw error;
      throw new VlmoError(
        'RESULTS_UNWRITABLE',
        `Cannot export into "${this.#out}": expected a folder with room for it, received ${errorMessage(error)}`,
        { cause: error },
      );
    }
  }

  /** Throws RESULTS_CONFLICT for an export of something else. */
  requireSame(asked: Asked, known: Asked): void {
    const [expected, received] = [JSON.stringify(known), JSON.stringify(asked)];
    if (expected === received) return;
    throw new VlmoError(
      'RESULTS_CONFLICT',
      `Cannot export into "${this.#out}": expected what was asked when it was begun (${expected}), received ${received}; take the folder away, or name another`,
    );
  }

  async #requireOwn(): Promise<void> {
    const names = await readdir(this.#out);
    if (names.length === 0 || names.some((name) => name.startsWith(WORK) || name === MANIFEST)) return;
    throw new VlmoError(
      'RESULTS_CONFLICT',
      `Cannot export into "${this.#out}": expected a folder that is new, empty or an export, received one that holds "${names[0]}"`,
    );
  }

  async #keyFiles(table: string): Promise<string[]> {
    const names = await readdir(join(this.#out, WORK));
    return names
      .filter((name) => name.startsWith(`${table}_`) && /_\d{8}\.keys$/.test(name))
      .sort((a, b) => (a < b ? -1 : 1));
  }

  async #put(name: string, text: string): Promise<void> {
    const temporary = join(this.#out, WORK, `${basename(name)}.new`);
    await writeFile(temporary, text, { flush: true });
    await rename(temporary, join(this.#out, name));
  }
}

async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}
