import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { put } from '../pipeline/pictures.ts';
import { vlmoJson } from './cli-fixture.ts';
import { openScene, readLog, startSuite } from './queue-suite.ts';

const suite = await startSuite({ after });
const LONG = 'a very long text that goes on '.repeat(30);

interface Counted {
  readonly run: string;
  readonly state?: string;
  readonly truncated: number | null;
  readonly truncated_first?: readonly string[];
}

test('texts that are cut are counted by run, also later and through the queue', {
  timeout: 300_000,
}, async (t) => {
  await using scene = await openScene(t, suite);
  const rows = Array.from({ length: 9 }, (_, n) => ({
    id: `c${n}`,
    caption: n < 7 ? `${LONG}${n}` : `short ${n}`,
  }));
  const folder = join(scene.index, '..', 'texts');
  await put(folder, 'rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
  await put(folder, 'queries.txt', ['a cat', `${LONG}1`, 'a dog', `${LONG}2`].join('\n'));
  const args = [join(folder, 'rows.jsonl'), '--index', scene.index, '--model', suite.model, '--json'];
  const first = ['c0', 'c1', 'c2', 'c3', 'c4'];

  const direct = (await vlmoJson<Counted>(['index', ...args])).lines[0] ?? assert.fail();
  assert.deepEqual([direct.truncated, direct.truncated_first], [7, first]);
  const [later] = await scene.json<Counted>(['status', direct.run]);
  assert.deepEqual([later?.state, later?.truncated, later?.truncated_first], ['complete', 7, first]);

  const [submitted] = await scene.json<Counted>([
    'submit',
    ...args.slice(0, 1),
    '--source',
    'again',
    '--model',
    suite.model,
  ]);
  assert.ok(submitted);
  const [waiting] = await scene.json<Counted>(['status', submitted.run]);
  assert.deepEqual([waiting?.truncated, waiting?.truncated_first], [7, first]);
  await readLog(scene.worker(['--device', 'cpu'])).until('taking jobs');
  const [done] = await scene
    .json<Counted>(['status', submitted.run, '--watch'])
    .then((lines) => lines.slice(-1));
  assert.deepEqual([done?.state, done?.truncated, done?.truncated_first], ['complete', 7, first]);

  const asked = ['retrieve', '--queries', join(folder, 'queries.txt'), '--in', 'captions', '-k', '2'];
  const [queued] = await scene.json<Counted>([...asked, '--out', 'hits.parquet', '--queued']);
  const [here] = await scene.json<Counted>([...asked, '--out', join(folder, 'hits.parquet')]);
  for (const summary of [queued, here])
    assert.deepEqual([summary?.truncated, summary?.truncated_first], [2, ['queries.txt:2', 'queries.txt:4']]);
});
