import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { itemKey } from '#store/item-key.ts';
import { openStore } from '#store/lance/open-store.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import {
  captionRow,
  failureRecord,
  generationSpec,
  imageRow,
  unitVectors,
} from '../store/lance/store-fixture.ts';
import { assertCannotRun, ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { countCommits, untilCommits } from './commits.ts';
import { openScene, startSuite } from './queue-suite.ts';

interface Indexed {
  readonly stored: number;
  readonly gone: { readonly images: number; readonly captions: number; readonly failures: number } | null;
  readonly pruned: boolean;
}

const suite = await startSuite({ after });

/** Pictures 0 to `count` - 1 with a text each. */
async function fill(folder: string, count: number): Promise<void> {
  await drawPictures(folder, 0, count);
  for (let n = 0; n < count; n++)
    await put(folder, pictureName(n).replace(/\.\w+$/, '.txt'), `the picture ${n}`);
}

/** Ids of what each generation has. */
async function held(index: string): Promise<string[][]> {
  await using store = await openStore(index, { create: false });
  const all: string[][] = [];
  for (const record of await store.generations()) {
    const { images, captions } = await store.tables(record);
    const ids: string[] = [];
    for await (const { id } of images.scan()) ids.push(id);
    for await (const { id } of captions.scan()) ids.push(id);
    all.push(ids.sort());
  }
  return all;
}

describe('--prune', { timeout: 600_000 }, () => {
  test('vlmo index: a picture that was deleted and a text that changed its place; all generations, with failures', async (t) => {
    const folder = await temporaryFolder(t);
    const [source, index] = [join(folder, 'pictures'), join(folder, 'index')];
    await fill(source, 3);
    const into = ['--index', index, '--model', suite.model];
    for (const preprocess of ['reference', 'fast'])
      await vlmoJson(['index', source, ...into, '--preprocess', preprocess, '--json']);
    const [gone, moved] = [pictureName(1), pictureName(2)];
    await rm(join(source, gone));
    await rm(join(source, gone.replace(/\.\w+$/, '.txt')));
    await rm(join(source, moved.replace(/\.\w+$/, '.txt')));
    {
      await using store = await openStore(index, { create: false });
      const key = itemKey(source, 'image', gone);
      await store.failures.upsert([failureRecord(gone, { source, key, kind: 'image' })]);
    }
    const before = await held(index);
    assert.deepEqual(before[0], before[1]);
    const told = await vlmo(['index', source, ...into]);
    assert.equal(told.code, 0, told.stderr);
    assert.match(
      told.stdout,
      /^No longer in the source: 1 picture and 2 captions; --prune takes them out\.$/m,
    );
    const preview = ['index', '--prune', source, ...into, '--dry-run'];
    assert.equal(
      (await vlmo(preview)).stdout,
      'Would take out what the source no longer lists: 1 picture and 2 captions.\n',
    );
    const { lines } = await vlmoJson<Indexed>([...preview, '--json']);
    assert.deepEqual([lines[0]?.gone, lines[0]?.pruned], [{ images: 1, captions: 2, failures: 0 }, false]);
    assert.deepEqual(await held(index), before);
    const taken = await vlmoJson<Indexed>(['index', '--prune', source, ...into, '--json']);
    assert.deepEqual(
      [taken.lines[0]?.gone, taken.lines[0]?.pruned, taken.lines[0]?.stored],
      [{ images: 1, captions: 2, failures: 1 }, true, 0],
    );
    const left = [pictureName(0), `${pictureName(0)}#0`, moved].sort();
    assert.deepEqual(await held(index), [left, left]);
    assert.equal((await vlmo(['failures', '--index', index])).stdout, '');
  });

  test('vlmo index: refused where too much is gone, after what is new was stored; --prune=all is not', async (t) => {
    const folder = await temporaryFolder(t);
    const [source, index] = [join(folder, 'pictures'), join(folder, 'index')];
    await drawPictures(source, 0, 20);
    const into = ['--index', index, '--model', suite.model, '--json'];
    await vlmoJson(['index', source, ...into]);
    for (let n = 0; n < 11; n++) await rm(join(source, pictureName(n)));
    await drawPictures(source, 20, 21);
    const refused = await vlmo(['index', source, ...into, '--prune']);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /11 of its 20 items would go, more than half; --prune=all .*\[PRUNE_REFUSED\]/,
    );
    const summary = JSON.parse(refused.stdout) as Indexed;
    assert.deepEqual([summary.stored, summary.gone?.images, summary.pruned], [1, 11, false]);
    assert.equal((await held(index))[0]?.length, 21);
    assert.equal((await vlmo(['index', source, ...into, '--prune', '--dry-run'])).code, 1);
    const all = await vlmoJson<Indexed>(['index', source, ...into, '--prune=all']);
    assert.deepEqual([all.lines[0]?.gone?.images, all.lines[0]?.pruned], [11, true]);
    assert.equal((await held(index))[0]?.length, 10);
  });

  test('vlmo index: killed in the middle, the same command takes out the rest and nothing else', async (t) => {
    const folder = await temporaryFolder(t);
    const [source, index] = [join(folder, 'pictures'), join(folder, 'index')];
    await fill(source, 2);
    const args = ['index', source, '--index', index, '--model', suite.model, '--json'];
    await vlmoJson(args);
    const GONE = 12_000;
    {
      // Of another generation, so that the model need not make them.
      await using store = await openStore(index, { create: false });
      const { images, captions } = await store.openGeneration(generationSpec());
      const ids = Array.from({ length: GONE }, (_, n) => `gone${n}`);
      const stays = imageRow('stays', { source: 'another' });
      const rows = [...ids.map((id) => imageRow(id, { source })), stays];
      await images.upsert({ rows, vectors: unitVectors(rows.length, 4) });
      await captions.upsert({
        rows: ids.map((id) => captionRow(id, { source })),
        vectors: unitVectors(GONE, 4),
      });
    }
    const commits = countCommits(index);
    const child = startVlmo([...args, '--prune=all']);
    // The run has begun and a part of the captions is out.
    assert.ok(await untilCommits(index, commits + 4, child));
    child.kill('SIGKILL');
    assert.equal((await ended(child)).signal, 'SIGKILL');
    const left = (await held(index)).flat().filter((id) => id.startsWith('gone')).length;
    assert.ok(left > 0 && left < 2 * GONE, `${left} left`);
    const { lines } = await vlmoJson<Indexed>([...args, '--prune=all']);
    assert.equal((lines[0]?.gone?.images ?? 0) + (lines[0]?.gone?.captions ?? 0), left);
    const own = [0, 1].flatMap((n) => [pictureName(n), `${pictureName(n)}#0`]).sort();
    assert.deepEqual(
      (await held(index)).sort((a, b) => b.length - a.length),
      [own, ['stays']],
    );
  });

  test('is said on the command line alone, and --dry-run beside it', async () => {
    const args = ['index', suite.pictures, '--index', join(suite.pictures, 'none')];
    const set = await vlmo(args, { env: { VLMO_PRUNE: 'true' } });
    assert.equal(set.code, 1);
    assert.match(set.stderr, /expected --prune on the command line, received it elsewhere \[USAGE_INVALID\]/);
    await assertCannotRun([...args, '--dry-run'], 'USAGE_INVALID', '--prune beside --dry-run');
    await assertCannotRun([...args, '--prune=most'], 'CONFIG_INVALID', '"all"');
  });

  test('vlmo submit: what is gone goes when the source is read, whether workers are there or not', async (t) => {
    await using scene = await openScene(t, suite);
    const source = join(await temporaryFolder(t), 'pictures');
    await fill(source, 3);
    scene.worker();
    await scene.complete((await scene.submit(source)).run);
    await rm(join(source, pictureName(2)));
    await drawPictures(source, 3, 4);
    const told = await vlmo(['submit', source, '--index', scene.index, '--wait'], scene);
    assert.match(
      told.stdout,
      /^No longer in the source: 1 picture and 1 caption; --prune takes them out\.$/m,
    );
    const [taken] = await scene.json<Indexed>(['submit', '--prune', source]);
    assert.deepEqual(taken?.gone, { images: 1, captions: 1, failures: 0 });
    const left = [0, 1].flatMap((n) => [pictureName(n), `${pictureName(n)}#0`]);
    assert.deepEqual(await held(scene.index), [[...left, pictureName(3)].sort()]);
    for (const n of [0, 1, 3]) await rm(join(source, pictureName(n)));
    const refused = await vlmo(['submit', source, '--index', scene.index, '--prune', '--wait'], scene);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /because it lists nothing; --prune=all .*\[PRUNE_REFUSED\]/);
  });
});
