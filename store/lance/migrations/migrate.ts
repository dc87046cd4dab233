import { join } from 'node:path';
import type { Connection } from '@lancedb/lancedb';
import { withLock } from '#lock-file.ts';
import { INDEX_FORMAT, type IndexFolder, readFormat, writeFormat } from '../index-folder.ts';
import { attemptWrite } from '../store-errors.ts';
import { toFormat2 } from './format-2.ts';
import { toFormat3 } from './format-3.ts';
import { toFormat4 } from './format-4.ts';
import { toFormat5 } from './format-5.ts';
import { toFormat6 } from './format-6.ts';
import { toFormat7 } from './format-7.ts';
import { toFormat8 } from './format-8.ts';
import { toFormat9 } from './format-9.ts';
import type { Migration } from './migration.ts';

/** By the format that each one brings an index to. */
const MIGRATIONS: ReadonlyMap<number, Migration> = new Map([
  [2, toFormat2],
  [3, toFormat3],
  [4, toFormat4],
  [5, toFormat5],
  [6, toFormat6],
  [7, toFormat7],
  [8, toFormat8],
  [9, toFormat9],
]);

/** Does a step while no process changes the format of the index. */
export function withFormatLock(folder: IndexFolder, step: () => Promise<void>): Promise<void> {
  return withLock(join(folder.path, '.migration.lock'), step);
}

/**
 * Brings an index up to the format of this program, one number after the other, while no other process does. Every step
 * of a migration looks for what is there before it works: one that was killed goes on with the next opening. `note` is
 * told what is done and how long it takes. Throws STORE_WRITE_FAILED.
 */
export async function migrateIndex(
  folder: IndexFolder,
  connection: Connection,
  note: (line: string) => void,
): Promise<void> {
  if ((await readFormat(folder)) === INDEX_FORMAT) return;
  const what = `index "${folder.path}"`;
  await attemptWrite(what, () =>
    withFormatLock(folder, async () => {
      // Another process may have done some of it meanwhile.
      for (let format = (await readFormat(folder)) + 1; format <= INDEX_FORMAT; format++) {
        const migration = MIGRATIONS.get(format);
        if (!migration) throw new Error(`No migration to format ${format}: this is a bug`);
        const from = `Bringing ${what} from format ${format - 1} to ${format}`;
        note(`${from}: ${migration.brings}; ${await migration.takes(connection)}`);
        const start = performance.now();
        await migration.run(connection, folder);
        await writeFormat(folder, format);
        note(`${from}: done in ${((performance.now() - start) / 1000).toFixed(1)} s`);
      }
    }),
  );
}
