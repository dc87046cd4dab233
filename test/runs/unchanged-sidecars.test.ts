import assert from 'node:assert/strict';
import fs, { rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename, join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { IndexSummary } from '#runs/index-source.ts';
import type { SourceOptions } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPicture, drawPictures, put } from '../pipeline/pictures.ts';
import {
  collect,
  type Engine,
  type Index,
  openIndex,
  run,
  startEngine,
} from '../pipeline/pipeline-fixture.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());

/** Names of the files that this process opens or reads, until the test is over. */
function countReads(t: TestContext, folder: string): string[] {
  const read: string[] = [];
  for (const name of ['readFile', 'open'] as const) {
    const real = fs[name] as (...args: unknown[]) => unknown;
    t.mock.method(fs, name, (...args: unknown[]) => {
      if (String(args[0]).startsWith(folder)) read.push(basename(String(args[0])));
      return real(...args);
    });
  }
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return read;
}

interface Scene {
  readonly index: Index;
  readonly pictures: string;
  /** A run, and the files beside pictures that it read. */
  pass(
    options?: SourceOptions & { readonly verify?: boolean },
  ): Promise<{ summary: IndexSummary; read: string[] }>;
  /** Captions by their ids, and what else is said of each picture. */
  stored(): Promise<{ captions: Record<string, string>; meta: Record<string, unknown> }>;
}

async function open(t: TestContext): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const pictures = join(folder, 'pictures');
  const index = await openIndex(join(folder, 'index'), engine);
  t.after(() => index[Symbol.asyncDispose]());
  const now = Date.now;
  t.mock.method(Date, 'now', () => now() + 10_000);
  const reads = countReads(t, pictures);
  return {
    index,
    pictures,
    async pass({ verify = false, ...options } = {}) {
      reads.length = 0;
      const summary = await run(engine, index, await openSource(pictures, options), { verify });
      return { summary, read: reads.toSorted() };
    },
    async stored() {
      const captions = (await collect(index.tables.captions.scan())).map((row) => [row.id, row.caption]);
      const meta = (await index.images()).map((row) => [row.id, row.meta]);
      return { captions: Object.fromEntries(captions), meta: Object.fromEntries(meta) };
    },
  };
}

/** Texts and JSON, a blank one, one of two lines, one that has no caption, and one of a picture that fails. */
async function fill(pictures: string): Promise<void> {
  await drawPictures(pictures, 0, 4);
  await put(pictures, 'p0000.txt', 'one\ntwo');
  await put(pictures, 'p0000.json', '{"captions":["three","four"],"year":2020}');
  await put(pictures, 'p0001.txt', ' \n');
  await put(pictures, 'p0002.json', '{"title":"a name"}');
  await put(pictures, 'broken.png', 'no picture');
  await put(pictures, 'broken.txt', 'of none');
  await put(pictures, 'unnamed', await drawPicture(8));
  await put(pictures, 'unnamed.txt', 'of a picture without an ending');
}
const ALL = ['broken.txt', 'p0000.json', 'p0000.txt', 'p0001.txt', 'p0002.json', 'unnamed', 'unnamed.txt'];
const STORED = {
  captions: {
    ...{ 'p0000.jpg#0': 'one\ntwo', 'p0000.jpg#1': 'three', 'p0000.jpg#2': 'four' },
    ...{ 'broken.png#0': 'of none', 'unnamed#0': 'of a picture without an ending' },
  },
  meta: {
    ...{ 'p0000.jpg': { year: 2020 }, 'p0001.png': {}, 'p0002.png': { title: 'a name' }, 'p0003.jpg': {} },
    unnamed: {},
  },
};

describe('texts and JSON beside pictures that have not changed', { timeout: 120_000 }, () => {
  test('are not read, and say what they said: captions, meta, what is left out, also of a picture that failed', async (t) => {
    const scene = await open(t);
    await fill(scene.pictures);
    const first = await scene.pass();
    assert.deepEqual(first.read, ALL);
    assert.deepEqual(await scene.stored(), STORED);
    const again = await scene.pass();
    assert.deepEqual(again.read, []);
    assert.deepEqual(again.summary.reading, first.summary.reading);
    assert.equal(again.summary.reading?.leftOut.blank?.count, 1);
    assert.deepEqual([again.summary.seen, again.summary.stored, again.summary.skipped], [11, 0, 10]);
    assert.deepEqual([again.summary.gone?.images, again.summary.gone?.captions], [0, 0]);
    assert.deepEqual(await scene.stored(), STORED);
    assert.deepEqual((await scene.pass({ verify: true })).read, ALL);
  });

  test('what was changed, taken away or put beside is read, and what is to be read otherwise', async (t) => {
    const scene = await open(t);
    await fill(scene.pictures);
    await scene.pass();
    await put(scene.pictures, 'p0000.json', '{"captions":["three","five"],"year":2020}');
    await rm(join(scene.pictures, 'unnamed.txt'));
    await put(scene.pictures, 'p0003.txt', 'a new one');
    const changed = await scene.pass();
    assert.deepEqual(changed.read, ['p0000.json', 'p0000.txt', 'p0003.txt']);
    assert.equal((await scene.stored()).captions['p0000.jpg#2'], 'five');
    assert.equal((await scene.stored()).captions['p0003.jpg#0'], 'a new one');
    assert.equal(changed.summary.gone?.captions, 1);
    assert.deepEqual((await scene.pass()).read, []);
    const lines = await scene.pass({ captionLines: true });
    assert.ok(lines.read.includes('p0000.txt'));
    assert.equal((await scene.stored()).captions['p0000.jpg#1'], 'two');
  });

  test('a caption that was taken out of the index comes back from its file', async (t) => {
    const scene = await open(t);
    await fill(scene.pictures);
    await scene.pass();
    const [row] = (await collect(scene.index.tables.captions.scan())).filter(
      ({ id }) => id === 'p0000.jpg#1',
    );
    assert.ok(row);
    await scene.index.tables.captions.delete([row.key]);
    assert.deepEqual((await scene.pass()).read, ['p0000.json', 'p0000.txt']);
    assert.deepEqual(await scene.stored(), STORED);
  });

  test('one that was written just now is read again, one that cannot be read each time', async (t) => {
    const scene = await open(t);
    await drawPictures(scene.pictures, 0, 2);
    await put(scene.pictures, 'p0000.json', 'no JSON');
    await scene.pass();
    t.mock.restoreAll();
    syncBuiltinESMExports();
    const reads = countReads(t, scene.pictures);
    await put(scene.pictures, 'p0001.txt', 'just now');
    for (const _ of [1, 2]) {
      reads.length = 0;
      await run(engine, scene.index, await openSource(scene.pictures));
      assert.deepEqual(reads.sort(), ['p0000.json', 'p0001.txt']);
    }
  });
});
