import { addMissing, openIfThere } from './alter-table.ts';
import type { Migration } from './migration.ts';

/** Runs, and the results of their chunks, count pictures and captions apart; of those of before that is not known. */
export const toFormat9: Migration = {
  brings: 'runs count pictures and captions apart',
  takes: async () => 'a moment',
  async run(connection) {
    for (const name of ['runs', 'chunk_results']) {
      const table = await openIfThere(connection, name);
      if (table) await addMissing(table, FORMAT_9);
    }
  },
};

/** The column that it has brought, and what stands for it in tables that lack it. */
export const FORMAT_9 = { kinds: 'CAST(NULL AS STRING)' } as const;
