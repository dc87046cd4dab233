import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { describeProcess } from '#host-process.ts';
import type { FailureRecord } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { openStore } from '#store/lance/open-store.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPicture, put } from '../pipeline/pictures.ts';
import {
  captionRow,
  failureRecord,
  generationSpec,
  imageRow,
  unitVectors,
} from '../store/lance/store-fixture.ts';
import { assertCannotRun, ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { countCommits, untilCommits } from './commits.ts';

interface Removed {
  readonly images: number;
  readonly captions_of_images: number;
  readonly captions: number;
  readonly failures: number;
  readonly state: string;
  readonly active_runs: readonly { readonly run: string; readonly source: string }[];
}

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const [one, two] = [join(folder, 'one'), join(folder, 'two')];
const original = join(folder, 'original');
let made = 0;

/** A copy of an index of two folders with the same names, in two generations: each two pictures with captions, one broken. */
async function makeIndex(): Promise<string> {
  const index = join(folder, `index${made++}`);
  await cp(original, index, { recursive: true });
  return index;
}

before(async () => {
  for (const [place, source] of [one, two].entries()) {
    for (const n of [0, 1]) await put(source, `${n}.png`, await drawPicture(place * 2 + n));
    for (const n of [0, 1]) await put(source, `${n}.txt`, `${n === 0 ? 'red' : 'blue'} ${place}`);
    await put(source, 'broken.png', `no picture ${place}`);
  }
  const into = ['--index', original, '--model', MODEL, '--json'];
  for (const preprocess of ['fast', 'reference'])
    for (const source of [one, two])
      await vlmoJson(['index', source, ...into, '--preprocess', preprocess], 2);
});

/** How many pictures, captions and failures each generation has, in both orders the same. */
async function held(index: string): Promise<number[][]> {
  await using store = await openStore(index, { create: false });
  const all: number[][] = [];
  for (const record of await store.generations()) {
    const { images, captions } = await store.tables(record);
    all.push([await images.count(), await captions.count(), await store.failures.count('default')]);
  }
  return all;
}

/** Holds that a dry run counts what then goes, and changes nothing; that all generations lose it; that again is nothing. */
async function assertRemoves(index: string, args: string[], counts: number[], left: number[]): Promise<void> {
  const command = ['remove', '--index', index, '--json', ...args];
  const before = await held(index);
  const dry = (await vlmoJson<Removed>([...command, '--dry-run'])).lines[0];
  assert.deepEqual(await held(index), before);
  const real = (await vlmoJson<Removed>(command)).lines[0];
  for (const answer of [dry, real])
    assert.deepEqual(
      [answer?.images, answer?.captions_of_images, answer?.captions, answer?.failures, answer?.state],
      [...counts, 'complete'],
    );
  assert.deepEqual(await held(index), [left, left]);
  const again = (await vlmoJson<Removed>(command)).lines[0];
  assert.deepEqual(
    [again?.images, again?.captions_of_images, again?.captions, again?.failures],
    [0, 0, 0, 0],
  );
}

describe('vlmo remove', { timeout: 600_000 }, () => {
  test('by id, key and source: captions go with their picture, failures with their source', async () => {
    const index = await makeIndex();
    assert.deepEqual(await held(index), Array(2).fill([4, 4, 2]));
    await assertCannotRun(['remove', '--index', index, '--id', '0.png'], 'ID_AMBIGUOUS', one, two);
    await assertRemoves(index, ['--id', '0.png', '--source', one], [1, 1, 0, 0], [3, 3, 2]);
    await assertRemoves(index, ['--key', itemKey(two, 'image', '1.png')], [1, 1, 0, 0], [2, 2, 2]);
    await assertRemoves(index, ['--id', 'broken.png', '--source', two], [0, 0, 0, 1], [2, 2, 1]);
    await assertRemoves(index, ['--source', one, '--in', 'captions'], [0, 0, 1, 0], [2, 1, 1]);
    await assertRemoves(index, ['--source', one], [1, 0, 0, 1], [1, 1, 0]);
    const { lines } = await vlmoJson<{ source: string }>(['sources', '--index', index, '--json']);
    assert.deepEqual(
      lines.map(({ source }) => source),
      [two],
    );
    const back = await vlmoJson<{ stored: number }>(['index', two, '--index', index, '--json'], 2);
    assert.equal(back.lines[0]?.stored, 2, 'the next run stores again what its source lists');
  });

  test('by filter, and all: the failures of a filter are those of its rows', async () => {
    const index = await makeIndex();
    const red = ['--in', 'captions', '--where', "caption like 'red%'"];
    await assertRemoves(index, [...red, '--source', two], [0, 0, 1, 0], [4, 3, 2]);
    await assertRemoves(index, ['--where', "id = '1.png'"], [2, 2, 0, 0], [2, 1, 2]);
    await assertRemoves(index, ['--all'], [2, 1, 0, 2], [0, 0, 0]);
    const none = await vlmo(['remove', '--all', '--index', index]);
    assert.deepEqual([none.code, none.stderr], [0, '']);
    assert.match(none.stdout, /^Nothing to remove: nothing in collection "default" matches\./);
  });

  test('captions of a picture that goes are no longer listed as failed either; those of others stay', async () => {
    const index = await makeIndex();
    const failure = (id: string, changes: object, source = one): FailureRecord => {
      const item = { kind: 'caption', id, imageId: '0.png', uri: '/x', caption: 'x', meta: {}, ...changes };
      return failureRecord(id, { source, kind: 'caption', item: JSON.stringify(item) });
    };
    {
      await using store = await openStore(index, { create: false });
      await store.failures.upsert([
        failure('own', {}),
        failure('elsewhere', { imageSource: one }, two),
        failure('of another picture', { imageId: '1.png' }),
        failure('of another source', {}, two),
      ]);
    }
    await assertRemoves(index, ['--id', '0.png', '--source', one], [1, 1, 0, 2], [3, 3, 4]);
  });

  test('says which runs are under way, in words what goes; refuses what names nothing or two things', async () => {
    const index = await makeIndex();
    {
      await using store = await openStore(index, { create: false });
      const owner = describeProcess();
      for await (const last of store.runs.scan()) {
        await store.runs.upsert({
          ...last,
          id: 'under way',
          state: 'running',
          endedAt: null,
          owner,
          lease: 1,
        });
        break;
      }
    }
    const args = ['remove', '--index', index, '--source', one, '--dry-run'];
    const { lines } = await vlmoJson<Removed>([...args, '--json']);
    assert.equal(lines[0]?.active_runs[0]?.run, 'under way');
    const shown = await vlmo(args);
    assert.match(shown.stderr, /^Run under way over ".*" is under way in collection "default": /);
    assert.equal(
      shown.stdout,
      'Would remove 2 pictures, 2 captions of them, 0 other captions, 1 listed failure.\n',
    );
    await assertCannotRun(['remove', '--index', index], 'USAGE_INVALID', 'received none');
    await assertCannotRun(['remove', '--index', index, '--all', '--key', 'x'], 'USAGE_INVALID', 'several');
    await assertCannotRun(['remove', '--index', index, '--where', 'height >'], 'FILTER_INVALID');
    const other = ['remove', '--index', index, '--all', '--collection', 'other'];
    await assertCannotRun(other, 'COLLECTION_NOT_FOUND', 'other');
    assert.deepEqual(await held(index), Array(2).fill([4, 4, 2]));
  });

  test('killed in the middle and run again, everything is gone and nothing else', async () => {
    const index = join(folder, 'killed');
    const PICTURES = 12_000;
    {
      await using store = await openStore(index, { create: true });
      const { images, captions } = await store.openGeneration(generationSpec());
      const ids = Array.from({ length: PICTURES }, (_, n) => `p${n}`);
      const source = { source: 'going' };
      const rows = ids.map((id) => ({ ...imageRow(id), ...source, key: itemKey('going', 'image', id) }));
      const texts = ids.map((imageId) => ({
        ...captionRow(`${imageId}#0`, { imageId }),
        ...{ ...source, key: itemKey('going', 'caption', `${imageId}#0`), imageSource: 'going' },
      }));
      await images.upsert({ rows: [...rows, imageRow('stays')], vectors: unitVectors(PICTURES + 1, 4) });
      await captions.upsert({ rows: texts, vectors: unitVectors(PICTURES, 4) });
    }
    const args = ['remove', '--source', 'going', '--index', index, '--json'];
    const commits = countCommits(index);
    const child = startVlmo(args);
    assert.ok(await untilCommits(index, commits + 4, child));
    child.kill('SIGKILL');
    assert.equal((await ended(child)).signal, 'SIGKILL');
    const [left = []] = await held(index);
    assert.ok((left[0] ?? 0) > 1 && (left[1] ?? 0) < PICTURES, `${left.join(', ')} left`);
    const { lines } = await vlmoJson<Removed>(args);
    assert.deepEqual(
      [lines[0]?.images, lines[0]?.captions_of_images],
      [(left[0] ?? 0) - 1, left[1]],
      'what is out is not counted again',
    );
    assert.deepEqual(await held(index), [[1, 0, 0]]);
  });
});
