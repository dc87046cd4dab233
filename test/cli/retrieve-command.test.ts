import assert from 'node:assert/strict';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { readParquet } from '#parquet.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { pictureName } from '../pipeline/pictures.ts';
import { assertCannotRun, ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { openScene, readLog, startSuite } from './queue-suite.ts';

const suite = await startSuite({ after });
const CPU = ['--device', 'cpu'];

interface Summary {
  readonly complete: boolean;
  readonly answered: number;
  readonly skipped: number;
  readonly failed: number;
}

describe('vlmo retrieve', { timeout: 300_000 }, () => {
  test('a run killed -9 in the middle is finished by the same command: each query once, the same hits', async (t) => {
    const folder = await temporaryFolder(t);
    const [source, index, out] = ['captions.jsonl', 'index', 'out.parquet'].map((name) => join(folder, name));
    const count = 2500;
    const lines = Array.from({ length: count }, (_, n) =>
      JSON.stringify({ id: `c${n}`, caption: `red ${n % 90} thing ${n}` }),
    );
    await writeFile(source as string, lines.join('\n'));
    const indexed = await vlmo([
      'index',
      source as string,
      '--index',
      index as string,
      '--model',
      suite.model,
      ...CPU,
    ]);
    assert.equal(indexed.code, 0, indexed.stderr);
    const asked = [
      'retrieve',
      '--index',
      index as string,
      '--queries',
      'captions',
      '--in',
      'captions',
      '-k',
      '100',
      ...CPU,
    ];
    const undisturbed = join(folder, 'undisturbed.parquet');
    await vlmoJson([...asked, '--out', undisturbed, '--json']);

    const victim = startVlmo([...asked, '--out', out as string]);
    const isThere = (): Promise<boolean> =>
      access(`${out}.parts/00000002.parquet`).then(
        () => true,
        () => false,
      );
    while (!(await isThere())) await setTimeout(5);
    victim.kill('SIGKILL');
    assert.equal((await ended(victim)).signal, 'SIGKILL');
    await assert.rejects(access(out as string), 'it is killed in the middle');
    const { lines: said } = await vlmoJson<Summary>([...asked, '--out', out as string, '--json']);
    const [summary] = said;
    assert.ok(summary && summary.skipped > 0 && summary.answered > 0, JSON.stringify(summary));
    assert.equal(summary.skipped + summary.answered, count);
    const sorted = async (path: string) => (await readParquet(path)).map((row) => JSON.stringify(row)).sort();
    assert.deepEqual(await sorted(out as string), await sorted(undisturbed));
  });

  test('a file of texts and pictures: broken ones are rows with the reason, and exit code 2', async (t) => {
    await using scene = await openScene(t, suite);
    await vlmo(['index', suite.good, '--index', scene.index, '--model', suite.model, ...CPU]);
    const out = join(await temporaryFolder(t), 'out.parquet');
    const asked = [
      'retrieve',
      '--index',
      scene.index,
      '--queries',
      suite.mixed,
      '--in',
      'images',
      '-k',
      '2',
      ...CPU,
    ];
    const { lines } = await vlmoJson<Summary>([...asked, '--out', out, '--json'], 2);
    assert.deepEqual([lines[0]?.answered, lines[0]?.failed], [36, 3]);
    const rows = await readParquet(out);
    // A picture finds itself.
    const [self] = rows.filter(({ query_id, rank }) => query_id === pictureName(3) && rank === 1);
    assert.equal(self?.id, pictureName(3));
    assert.match(String(rows.find(({ query_id }) => query_id === 'broken.png')?.error), /\[IMAGE_INVALID\]$/);
    // As one search after the other finds it.
    const found = await scene.json<{ hits: { id: string; score: number }[] }>(['search', 'red 5', '-k', '2']);
    const mine = rows.filter(({ query_id }) => query_id === `${pictureName(5)}#0`);
    assert.deepEqual(
      mine.map(({ id }) => id),
      found[0]?.hits.map(({ id }) => id),
    );
  });

  test('a worker does it as the command does, into the results of the index and nowhere else', async (t) => {
    await using scene = await openScene(t, suite);
    await vlmo(['index', suite.good, '--index', scene.index, '--model', suite.model, ...CPU]);
    await readLog(scene.worker(CPU)).until('taking jobs');
    const out = join(await temporaryFolder(t), 'here.parquet');
    const asked = ['retrieve', '--queries', 'captions', '--in', 'images', '-k', '3'];
    await scene.json([...asked, '--out', out, ...CPU]);
    const [queued] = await scene.json<Summary>([...asked, '--out', 'there.parquet', '--queued']);
    assert.deepEqual([queued?.complete, queued?.answered], [true, 24]);
    const there = join(scene.index, 'results', 'there.parquet');
    assert.deepEqual(await readParquet(there), await readParquet(out));
    const [pairs] = await scene.json<{ scored: number }>([
      'retrieve',
      '--pairs',
      '--out',
      'p.parquet',
      '--queued',
    ]);
    assert.equal(pairs?.scored, 24);
    const refused = await vlmo([...asked, '--index', scene.index, '--out', '../x.parquet', '--queued'], {
      env: scene.env,
    });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /expected "out" to be right \(a plain file name/);
  });

  test('what does not go together is refused', async () => {
    const base = ['retrieve', '--index', 'x', '--out', 'y.parquet'];
    await assertCannotRun(base, 'USAGE_INVALID', '--queries captions, images or a file');
    await assertCannotRun(
      [...base, '--queries', 'captions'],
      'USAGE_INVALID',
      '--in images or --in captions',
    );
    await assertCannotRun([...base, '--queries', 'captions', '--pairs'], 'USAGE_INVALID', 'both');
    for (const flag of ['--model', '--device'])
      await assertCannotRun([...base, '--pairs', '--queued', flag, 'cpu'], 'USAGE_INVALID', '--queued');
    await assertCannotRun(
      [...base, '--queries', 'captions', '--in', 'images', '--threshold', '0.2'],
      'USAGE_INVALID',
      '--threshold',
    );
  });
});
