import assert from 'node:assert/strict';
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { describeProcess } from '#host-process.ts';
import type { RunRecord } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { openStore } from '#store/lance/open-store.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPicture, put } from '../pipeline/pictures.ts';
import { collect } from '../pipeline/pipeline-fixture.ts';
import { captionRow, generationSpec, imageRow, unitVectors } from '../store/lance/store-fixture.ts';
import { assertCannotRun, ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { countCommits, untilCommits } from './commits.ts';
import { openScene, startSuite } from './queue-suite.ts';

const suite = await startSuite({ after });

interface SourceLine {
  readonly collection: string;
  readonly source: string;
  readonly place: string | null;
  readonly images: number;
  readonly captions: number;
  readonly failed: number;
}

interface Indexed {
  readonly seen: number;
  readonly stored: number;
  readonly skipped: number;
  readonly failed: number;
}

/** Two folders with the same names in them, and other pictures: the second has no text beside its second picture. */
async function twoYears(t: TestContext) {
  const folder = await temporaryFolder(t);
  const years = ['2020', '2021'].map((year) => join(folder, year)) as [string, string];
  for (const [n, place] of years.entries()) {
    await put(place, '1.png', await drawPicture(2 * n));
    await put(place, '2.png', await drawPicture(2 * n + 1));
    await put(place, '1.txt', `the first of ${2020 + n}`);
  }
  await put(years[0], '2.txt', 'the second of 2020');
  return { folder, years, index: join(folder, 'index') };
}

function into(index: string): string[] {
  return ['--index', index, '--model', suite.model, '--json'];
}

async function sourcesOf(index: string): Promise<SourceLine[]> {
  const { lines } = await vlmoJson<SourceLine>(['sources', '--index', index, '--json']);
  return lines.sort((a, b) => (a.source < b.source ? -1 : 1));
}

/** What is stored of pictures and captions: each caption at the picture of its own folder. */
async function assertTwoYears(index: string, years: readonly string[]): Promise<void> {
  await using store = await openStore(index, { create: false });
  const [record] = await store.generations();
  assert.ok(record);
  const { images, captions } = await store.tables(record);
  const pictures = (await collect(images.scan())).map(({ source, id }) => `${source} ${id}`);
  assert.deepEqual(pictures.sort(), years.flatMap((year) => [`${year} 1.png`, `${year} 2.png`]).sort());
  const texts = (await collect(captions.scan())).map((row) => [row.caption, row.imageSource, row.imageId]);
  assert.deepEqual(texts.sort(), [
    ['the first of 2020', years[0], '1.png'],
    ['the first of 2021', years[1], '1.png'],
    ['the second of 2020', years[0], '2.png'],
  ]);
}

describe('sources', { timeout: 600_000 }, () => {
  test('two folders with the same names keep all their items, directly and through the queue, at once and in turns', async (t) => {
    const { years, index } = await twoYears(t);
    for (const _ of ['first', 'again'])
      for (const year of years) await vlmoJson(['index', year, ...into(index)]);
    await assertTwoYears(index, years);
    await using scene = await openScene(t, suite);
    const runs = [];
    for (const year of years) runs.push((await scene.submit(year)).run);
    scene.worker();
    for (const run of runs) await scene.complete(run);
    await assertTwoYears(scene.index, years);
    await scene.complete((await scene.submit(years[0])).run);
    await assertTwoYears(scene.index, years);
    const line = { collection: 'default', failed: 0, images: 2 };
    const expected = years.map((year, n) => ({ ...line, source: year, place: year, captions: 2 - n }));
    for (const made of [index, scene.index]) assert.deepEqual(await sourcesOf(made), expected);
    const shown = await vlmo(['sources', '--index', index]);
    assert.ok(shown.stdout.includes(`${years[0]}\n  collection default: 2 pictures, 2 captions, 0 failed\n`));
  });

  test('an id that two sources have is ambiguous, until --source or --key says which', async (t) => {
    const { years, index } = await twoYears(t);
    for (const [n, year] of years.entries())
      await vlmoJson(['index', year, ...into(index), '--source', `year ${n}`]);
    const search = ['search', '--id', '1.png', '--index', index, '--json'];
    await assertCannotRun(search, 'ID_AMBIGUOUS', '"year 0"', '"year 1"', '--source');
    const hits = await vlmoJson<{ hits: unknown }>([...search, '--source', 'year 1']);
    const key = itemKey('year 1', 'image', '1.png');
    const byKey = await vlmoJson<{ hits: unknown }>(['search', '--key', key, '--index', index, '--json']);
    assert.deepEqual(hits.lines[0]?.hits, byKey.lines[0]?.hits);
  });

  test('a source that moved is refused under its name, until --source-moved says so: its vectors stay', async (t) => {
    const { folder, years, index } = await twoYears(t);
    const [before] = years;
    const now = join(folder, 'moved');
    const named = [...into(index), '--source', 'photos'];
    await vlmoJson(['index', before, ...named]);
    await rename(before, now);
    await assertCannotRun(['index', now, ...named], 'SOURCE_MOVED', before, '--source-moved');
    const { lines } = await vlmoJson<Indexed>(['index', now, ...named, '--source-moved']);
    // Uris are brought up to date, with the vectors that are there: the model has nothing to do.
    assert.deepEqual([lines[0]?.seen, lines[0]?.failed], [4, 0]);
    const [line] = await sourcesOf(index);
    assert.deepEqual([line?.source, line?.place, line?.images, line?.captions], ['photos', now, 2, 2]);
    const again = await vlmoJson<Indexed>(['index', now, ...named]);
    assert.deepEqual([again.lines[0]?.stored, again.lines[0]?.skipped], [0, 4]);
  });

  test('captions of pictures of another source: of the only one that has them, or of the one that --images-of names', async (t) => {
    const { folder, years, index } = await twoYears(t);
    await put(folder, 'texts.csv', 'image_id,caption\n2.png,said elsewhere\n');
    const texts = join(folder, 'texts.csv');
    await vlmoJson(['index', years[0], ...into(index)]);
    await vlmoJson(['index', texts, ...into(index)]);
    const pictureOf = async (): Promise<string | null | undefined> => {
      await using store = await openStore(index, { create: false });
      const [record] = await store.generations();
      assert.ok(record);
      const { captions } = await store.tables(record);
      return (await collect(captions.scan())).find(({ caption }) => caption === 'said elsewhere')
        ?.imageSource;
    };
    assert.equal(await pictureOf(), years[0]);
    await vlmoJson(['index', years[1], ...into(index)]);
    const refused = await vlmo(['index', texts, ...into(index)]);
    assert.equal(refused.code, 2);
    const { stdout } = await vlmo(['failures', '--index', index]);
    for (const part of [...years, '--images-of']) assert.ok(stdout.includes(part), `${part} in ${stdout}`);
    await vlmoJson(['index', texts, ...into(index), '--images-of', years[1]]);
    assert.equal(await pictureOf(), years[1]);
  });
});

describe('the same content in two sources', { timeout: 600_000 }, () => {
  test('is counted by source; a folder inside an indexed one is another source', async (t) => {
    const { folder, years, index } = await twoYears(t);
    await vlmoJson(['index', folder, ...into(index), '--exclude', 'index']);
    const inside = await vlmo(['index', years[0], '--index', index, '--model', suite.model]);
    assert.ok(inside.stdout.includes(`Other sources hold the same content: 2 pictures of "${folder}".\n`));
    assert.ok(!inside.stdout.includes('moved'), inside.stdout);
    const again = await vlmo(['index', years[0], '--index', index]);
    assert.ok(!again.stdout.includes('same content'), 'nothing new, nothing said');
    await put(years[1], '3.png', await drawPicture(0));
    const { lines } = await vlmoJson<object>(['index', years[1], ...into(index)]);
    assert.deepEqual((lines[0] as { same_content: object }).same_content, [
      { source: folder, images: 3, moved: false },
      { source: years[0], images: 1, moved: false },
    ]);
  });

  test('of a place that is gone, with the same ids: moved, and what to do', async (t) => {
    const { folder, years, index } = await twoYears(t);
    await vlmoJson(['index', years[0], ...into(index)]);
    const now = join(folder, 'now');
    await rename(years[0], now);
    const { stdout } = await vlmo(['index', now, '--index', index]);
    const [line = ''] = stdout.split('\n').filter((one) => one.includes('is gone from its place'));
    for (const part of [
      `vlmo remove --source ${years[0]}`,
      `vlmo sources rename ${now} ${years[0]}`,
      '--source-moved',
    ])
      assert.ok(line.includes(part), `${part} in ${stdout}`);
    for (const args of [
      ['remove', '--source', years[0], '--index', index],
      ['sources', 'rename', now, years[0], '--index', index],
    ])
      assert.equal((await vlmo(args)).code, 0);
    assert.deepEqual(
      (await sourcesOf(index)).map(({ source, images }) => [source, images]),
      [[years[0], 2]],
    );
  });
});

describe('vlmo sources rename', { timeout: 600_000 }, () => {
  test('the source goes on under its name, without a vector computed; what is taken, unknown or under way is refused', async (t) => {
    const { folder, years, index } = await twoYears(t);
    for (const year of years) await vlmoJson(['index', year, ...into(index)]);
    const renaming = ['sources', 'rename', years[0], 'old photos', '--index', index];
    const done = await vlmo(renaming);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^Source ".*2020" is called "old photos" now/);
    await assertTwoYears(index, ['old photos', years[1]]);
    const other = join(folder, 'other');
    await cp(index, other, { recursive: true });
    const unnamed = await vlmo(['index', years[0], '--index', other]);
    assert.match(
      unnamed.stdout,
      /"old photos" was read from the same place: --source 'old photos' goes on with it/,
    );
    const named = await vlmoJson<Indexed>(['index', years[0], ...into(index), '--source', 'old photos']);
    assert.deepEqual([named.lines[0]?.stored, named.lines[0]?.skipped], [0, 4]);
    await assertCannotRun(renaming, 'SOURCE_UNKNOWN', years[0]);
    await assertCannotRun(
      ['sources', 'rename', 'old photos', years[1], '--index', index],
      'SOURCE_TAKEN',
      years[1],
    );
    await using store = await openStore(index, { create: false });
    const [run] = await collect(store.runs.scan());
    const running = { id: 'under way', state: 'running', owner: describeProcess(), lease: 1 } as const;
    await store.runs.upsert({ ...(run as RunRecord), ...running, source: 'old photos', endedAt: null });
    const busy = ['sources', 'rename', 'old photos', 'photos', '--index', index];
    await assertCannotRun(busy, 'SOURCE_BUSY', 'under way');
    await store.runs.upsert({
      ...(run as RunRecord),
      id: 'under way',
      source: 'old photos',
      state: 'failed',
    });
    assert.deepEqual((await vlmoJson([...busy, '--json'])).lines, [{ from: 'old photos', to: 'photos' }]);
  });

  test('killed in the middle, the same command or the next run finishes it', async (t) => {
    const { years, index, folder } = await twoYears(t);
    await vlmoJson(['index', years[0], ...into(index)]);
    {
      await using store = await openStore(index, { create: true });
      const { images, captions } = await store.openGeneration(generationSpec({ collection: 'other' }));
      const ids = Array.from({ length: 5000 }, (_, n) => `p${n}`);
      const source = years[0];
      await images.upsert({ rows: ids.map((id) => imageRow(id, { source })), vectors: unitVectors(5000, 4) });
      const texts = ids.map((id) => captionRow(id, { source, imageId: id, imageSource: source }));
      await captions.upsert({ rows: texts, vectors: unitVectors(5000, 4) });
    }
    const killed = join(folder, 'killed');
    for (const way of ['the same command', 'the next run'] as const) {
      await cp(index, killed, { recursive: true });
      const args = ['sources', 'rename', years[0], 'photos', '--index', killed];
      const child = startVlmo(args);
      assert.ok(await untilCommits(killed, countCommits(killed) + 2, child), 'killed in the middle');
      child.kill('SIGKILL');
      assert.equal((await ended(child)).signal, 'SIGKILL');
      {
        await using store = await openStore(killed, { create: false });
        assert.deepEqual(await store.pendingRename(), { from: years[0], to: 'photos' });
      }
      if (way === 'the same command') assert.equal((await vlmo(args)).code, 0);
      else {
        const { lines } = await vlmoJson<Indexed>(['index', years[0], ...into(killed), '--source', 'photos']);
        assert.deepEqual([lines[0]?.stored, lines[0]?.skipped], [0, 4]);
      }
      const lines = await sourcesOf(killed);
      assert.deepEqual(lines.map(({ source, images, captions }) => [source, images, captions]).sort(), [
        ['photos', 2, 2],
        ['photos', 5000, 5000],
      ]);
      await rm(killed, { recursive: true });
    }
  });
});
