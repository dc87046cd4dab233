import { addMissing, openIfThere } from './alter-table.ts';
import type { Migration } from './migration.ts';

/** Files are known by their size and times, so that those that have not changed need not be read; the next run over them fills it in. */
export const toFormat7: Migration = {
  brings: 'files that have not changed need not be read again',
  takes: async () => 'a moment',
  async run(connection) {
    const failures = await openIfThere(connection, 'failures');
    if (failures) await addMissing(failures, FORMAT_7.failures);
    const names = await connection.tableNames({ limit: 1_000_000 });
    for (const name of names.filter((name) => name.endsWith('.images')))
      await addMissing(await connection.openTable(name), FORMAT_7.images);
  },
};

const NONE = 'CAST(NULL AS STRING)';

/** The columns that it has brought, and what stands for them in tables that lack them. */
export const FORMAT_7 = {
  images: { stamp: NONE, described: NONE },
  failures: { stamp: NONE },
} as const;
