import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from '@lancedb/lancedb';
import { openStore } from '#store/lance/open-store.ts';
import { generationSpec, temporaryFolder } from './store-fixture.ts';

const WRITER = fileURLToPath(new URL('./shared-writer.ts', import.meta.url));
const ROUNDS = 12;
const NAMES = ['a', 'b', 'c', 'tidy'];

function startWriter(index: string, name: string): ChildProcess {
  return spawn(process.execPath, [WRITER, index, name, String(ROUNDS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function allIds(index: string, table: string, column: string): Promise<string[]> {
  const connection = await connect(join(index, 'lance'));
  const rows = (await (await connection.openTable(table)).query().select([column]).toArray()) as Record<
    string,
    unknown
  >[];
  connection.close();
  return rows.map((row) => String(row[column])).sort();
}

test('four processes write the same tables at once, one is killed and repeated: each row is there once', {
  timeout: 240_000,
}, async (t) => {
  const index = join(await temporaryFolder(t), 'index');
  const writers = NAMES.map((name) => startWriter(index, name));
  const exits = writers.map((writer) => once(writer, 'exit'));
  const [victim] = writers;
  assert.ok(victim?.stdout);
  await once(victim.stdout, 'data');
  await new Promise((resolve) => setTimeout(resolve, 700));
  victim.kill('SIGKILL');
  assert.deepEqual((await Promise.all(exits)).slice(1), [
    [0, null],
    [0, null],
    [0, null],
  ]);
  const [code] = await once(startWriter(index, 'a'), 'exit');
  assert.equal(code, 0);

  const expected: string[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < 40; i++) expected.push(`shared ${round} ${i}`);
    for (const name of NAMES) for (let i = 0; i < 10; i++) expected.push(`${name} ${round} ${i}`);
  }
  expected.sort();
  await using store = await openStore(index, { create: false });
  const { name } = (await store.openGeneration(generationSpec())).record;
  for (const [table, column] of [
    [`${name}.images`, 'id'],
    [`${name}.captions`, 'id'],
    ['failures', 'id'],
    ['chunk_results', 'chunk'],
  ] as const) {
    assert.deepEqual(await allIds(index, table, column), expected, table);
  }
});
