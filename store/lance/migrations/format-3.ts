import { addMissing, openIfThere } from './alter-table.ts';
import type { Migration } from './migration.ts';

/** Runs have an order, an owner and a lease, and failures the number of the run that met them. */
export const toFormat3: Migration = {
  brings: 'runs have an order',
  takes: async () => 'a moment',
  async run(connection) {
    for (const [name, added] of Object.entries(ADDED)) {
      const table = await openIfThere(connection, name);
      if (table) await addMissing(table, added);
    }
  },
};

const NO_NUMBER = 'CAST(NULL AS BIGINT)';
const ADDED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  runs: { number: NO_NUMBER, owner: 'CAST(NULL AS STRING)', lease: NO_NUMBER },
  failures: { run_number: NO_NUMBER },
};
