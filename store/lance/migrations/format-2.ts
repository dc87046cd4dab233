import { addMissing, openIfThere, setKey } from './alter-table.ts';
import type { Migration } from './migration.ts';

/** Runs through a queue: what a run was asked for, and items to be tried again without their source. */
export const toFormat2: Migration = {
  brings: 'runs that go through a queue',
  takes: async () => 'a moment',
  async run(connection) {
    for (const [name, { added, key }] of Object.entries(CHANGES)) {
      const table = await openIfThere(connection, name);
      if (!table) continue;
      await addMissing(table, added);
      await setKey(table, key);
    }
    const names = await connection.tableNames({ limit: 1_000_000 });
    for (const name of names.filter((name) => /\.(images|captions)$/.test(name))) {
      const table = await connection.openTable(name);
      await setKey(table, ['id']);
    }
  },
};

const CHANGES: Readonly<Record<string, { added: Record<string, string>; key: readonly string[] }>> = {
  runs: { added: { kind: "'direct'", submitted: 'true', options: "'{}'" }, key: ['id'] },
  failures: { added: { item: 'CAST(NULL AS STRING)' }, key: ['collection', 'kind', 'id'] },
  generations: { added: {}, key: ['name'] },
  collections: { added: {}, key: ['collection'] },
};
