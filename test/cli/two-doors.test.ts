import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pictureName, put } from '../pipeline/pictures.ts';
import { collect } from '../pipeline/pipeline-fixture.ts';
import { vlmo, vlmoJson } from './cli-fixture.ts';
import { openScene, readLog, startSuite } from './queue-suite.ts';
import { assertSame, readTables } from './tables.ts';

const suite = await startSuite({ after });

/** Rows that do not fit a job, or nearly not, among others that do. */
function oddRows(): string[] {
  const image = pictureName(0);
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);
  const rows = [
    { image: pictureName(1), id: 'good', caption: 'red', n: 1 },
    { image, id: 'long caption', caption: 'c'.repeat(70_000) },
    { image, id: 'just short enough', caption: 'c'.repeat(65_536) },
    { image, id: `long id ${'i'.repeat(5000)}` },
    { image, id: `long id ${'i'.repeat(5000)}!` },
    { image: `${'p'.repeat(5000)}.png`, id: 'long path' },
    { image, id: 'deep', more: deep(200) },
    { image, id: 'nearly deep', more: deep(90) },
    { image, id: 'large', more: 'm'.repeat(1_100_000) },
    { image, id: 'lone surrogate \ud800', caption: 'red \udc00', more: '\ud800' },
  ].map((row) => JSON.stringify(row));
  rows.push(`{"image":"${image}","id":"proto","caption":"red","__proto__":{"a":1},"constructor":2}`);
  rows.push(`{"image":"${image}","id":"inner proto","more":{"__proto__":{"a":[null,-0,1e400]}}}`);
  return rows;
}

describe('direct and queued', { timeout: 300_000 }, () => {
  test('rows that do not fit a job: the same rows, failures and meta through both doors', async (t) => {
    await using scene = await openScene(t, suite);
    const source = join(suite.pictures, 'odd.jsonl');
    await put(suite.pictures, 'odd.jsonl', oddRows().join('\n'));
    const direct = `${scene.index}-direct`;
    const args = ['index', source, '--index', direct, '--model', suite.model, '--json'];
    const [summary] = (await vlmoJson<{ seen: number; stored: number; failed: number }>(args, 2)).lines;
    const { run } = await scene.submit(source);
    scene.worker();
    const { seen, stored, skipped, failed } = await scene.complete(run);
    assert.deepEqual([seen, stored + skipped, failed], [summary?.seen, summary?.stored, summary?.failed]);
    const tables = await readTables(scene.index);
    assertSame(tables, await readTables(direct));
    const codes = tables.failures.map(({ values }) => /code=(\w+)/.exec(values)?.[1]);
    assert.ok(codes.length >= 6 && codes.every((code) => code === 'SOURCE_ROW_INVALID'), `${codes}`);
    assert.equal(new Set(tables.failures.map(({ id }) => id)).size, codes.length, 'long ids stay apart');
    await vlmo(['index', source, '--index', scene.index]);
    assertSame(await readTables(scene.index), await readTables(direct));
  });

  test('jobs that can never be done: their items are listed, the run ends, and --wait and status say so', async (t) => {
    await using scene = await openScene(t, suite);
    const { run } = await scene.submit(suite.good);
    const { chunks, client } = await scene.queues();
    const ids = await collect((await scene.store()).ledger.ids(run));
    const [noJson = '', noOpts = '', malformed = ''] = ids;
    await client.hset(chunks.toKey(noJson), { data: 'no JSON {' });
    await client.hset(chunks.toKey(noOpts), { opts: '{"jobId":' });
    await client.hset(chunks.toKey(malformed), { data: JSON.stringify({ run, items: 'none' }) });
    const raw = { name: 'c', data: '{{', opts: '{}', timestamp: '1', delay: '0', priority: '0' };
    await client.hset(chunks.toKey('raw'), raw);
    await client.rpush(chunks.toKey('wait'), 'raw');
    const log = readLog(scene.worker());
    const args = ['status', run, '--watch', '--index', scene.index, '--json'];
    const waiting = await vlmoJson<Record<string, unknown>>(args, 2, { env: scene.env });
    const { state, failed, stored, seen } = waiting.lines.at(-1) ?? {};
    assert.deepEqual([state, failed, stored, seen], ['complete', 12, 24, 36]);
    await log.until('jobs failed for good');
    const listed = await scene.json<{ code: string; message: string }>(['failures']);
    assert.equal(listed.length, 12);
    for (const { code, message } of listed) {
      assert.equal(code, 'JOB_INVALID');
      assert.match(message, /^Cannot take job: expected .+, received .+$/s);
    }
    assert.deepEqual(
      (await chunks.getFailed()).map((job) => job.id).sort(),
      [noJson, noOpts, malformed, 'raw'].sort(),
    );
    // What was wrong with the jobs was nothing of the items: they go through when they are tried again.
    const [again] = await scene.json<{ run: string; items: number }>(['queue', 'retry-failed']);
    assert.equal(again?.items, 12);
    assert.equal((await scene.complete(again?.run ?? '')).stored, 12);
    assert.deepEqual(await scene.json(['failures']), []);
  });
});
