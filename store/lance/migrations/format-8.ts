import { addMissing, openIfThere } from './alter-table.ts';
import type { Migration } from './migration.ts';

/** Runs know which of their captions were cut; nobody knows it of runs of before. */
export const toFormat8: Migration = {
  brings: 'runs know which captions were longer than the model reads',
  takes: async () => 'a moment',
  async run(connection) {
    const runs = await openIfThere(connection, 'runs');
    if (runs) await addMissing(runs, { truncated: 'CAST(NULL AS STRING)' });
  },
};
