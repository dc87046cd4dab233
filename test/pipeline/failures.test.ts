import assert from 'node:assert/strict';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openSource } from '#sources/open-source.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPicture, put } from './pictures.ts';
import { counts, type Engine, openIndex, run, startEngine } from './pipeline-fixture.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());

const ONE = { state: 'complete', seen: 1, stored: 0, skipped: 0, failed: 0, knownFailures: 0 };

describe('indexSource: failures', () => {
  test('a known failure is not tried again until it is asked for, and attempts are counted', async (t) => {
    const folder = await temporaryFolder(t);
    await put(folder, 'a.png', 'no picture');
    await using index = await openIndex(join(folder, '.index'), engine);
    const open = () => openSource(folder, {});
    assert.deepEqual(counts(await run(engine, index, await open())), { ...ONE, failed: 1 });
    const [first] = await index.failures();
    assert.equal(first?.attempts, 1);
    assert.equal(first.retriable, false);
    const second = await run(engine, index, await open());
    assert.deepEqual(counts(second), { ...ONE, failed: 1, knownFailures: 1 });
    const runNumber = (await index.store.runs.find(second.run))?.number;
    const met = [{ ...first, run: second.run, runNumber }];
    assert.deepEqual(await index.failures(), met, 'only met once more');
    const retried = await run(engine, index, await open(), { retryFailed: true });
    assert.deepEqual(counts(retried), { ...ONE, failed: 1 });
    const [again] = await index.failures();
    const other = { failedAt: 0, run: 0, runNumber: 0 };
    assert.deepEqual({ ...again, ...other }, { ...first, attempts: 2, ...other });
    assert.equal(again?.run, retried.run);
  });

  test('a failed picture that was replaced is tried at once, and its success removes the failure', async (t) => {
    const folder = await temporaryFolder(t);
    await put(folder, 'a.png', 'no picture');
    await using index = await openIndex(join(folder, '.index'), engine);
    await run(engine, index, await openSource(folder, {}));
    assert.equal((await index.failures()).length, 1);
    await put(folder, 'a.png', 'another, no picture either');
    assert.deepEqual(counts(await run(engine, index, await openSource(folder, {}))), { ...ONE, failed: 1 });
    assert.equal((await index.failures())[0]?.attempts, 2);
    await put(folder, 'a.png', await drawPicture(1));
    assert.deepEqual(counts(await run(engine, index, await openSource(folder, {}))), { ...ONE, stored: 1 });
    assert.deepEqual(await index.failures(), []);
    assert.equal(await index.tables.images.count(), 1);
  });

  test('a stored picture that became broken is listed as failed, and its old row goes', async (t) => {
    const folder = await temporaryFolder(t);
    await put(folder, 'a.png', await drawPicture(1));
    await using index = await openIndex(join(folder, '.index'), engine);
    await run(engine, index, await openSource(folder, {}));
    await put(folder, 'a.png', 'no picture');
    assert.deepEqual(counts(await run(engine, index, await openSource(folder, {}))), { ...ONE, failed: 1 });
    assert.equal(await index.tables.images.count(), 0);
    assert.equal((await index.failures()).length, 1);
    await put(folder, 'a.png', await drawPicture(1));
    assert.deepEqual(counts(await run(engine, index, await openSource(folder, {}))), { ...ONE, stored: 1 });
    assert.deepEqual([await index.tables.images.count(), await index.failures()], [1, []]);
  });

  test('a stored picture that cannot be read now keeps its row and is no failure', async (t) => {
    const folder = await temporaryFolder(t);
    const manifest = join(folder, 'list.csv');
    await put(folder, 'a.png', await drawPicture(1));
    await put(folder, 'list.csv', 'image,caption\na.png,a picture\n');
    await using index = await openIndex(join(folder, 'index'), engine);
    assert.equal((await run(engine, index, await openSource(manifest, {}))).stored, 2);
    const [row] = await index.images();
    await rename(join(folder, 'a.png'), join(folder, 'away.png'));
    const second = await run(engine, index, await openSource(manifest, {}));
    assert.deepEqual(counts(second), { ...ONE, seen: 2, skipped: 2 });
    assert.deepEqual([await index.images(), await index.failures()], [[row], []]);
  });

  test('a picture that was not there is looked for again on every run', async (t) => {
    const folder = await temporaryFolder(t);
    const manifest = join(folder, 'list.csv');
    await put(folder, 'list.csv', 'image\na.png\n');
    await using index = await openIndex(join(folder, 'index'), engine);
    for (const attempts of [1, 2]) {
      const { failed, knownFailures } = await run(engine, index, await openSource(manifest, {}));
      assert.deepEqual([failed, knownFailures], [1, 0]);
      const [failure] = await index.failures();
      assert.deepEqual(
        [failure?.code, failure?.attempts, failure?.retriable],
        ['ITEM_NOT_FOUND', attempts, true],
      );
    }
    await put(folder, 'a.png', await drawPicture(1));
    assert.equal((await run(engine, index, await openSource(manifest, {}))).stored, 1);
    assert.deepEqual(await index.failures(), []);
  });

  test('what fails unread (an address, a file too large) is known too, and a fix by retry', async (t) => {
    const folder = await temporaryFolder(t);
    const manifest = join(folder, 'list.csv');
    await put(folder, 'large.png', new Uint8Array(1_000_001));
    await put(folder, 'list.csv', 'image\nftp://example.org/a.png\nlarge.png\n');
    await using index = await openIndex(join(folder, 'index'), engine);
    const known = { ...ONE, seen: 2, failed: 2, knownFailures: 2 };
    assert.deepEqual(counts(await run(engine, index, await openSource(manifest, {}))), {
      ...known,
      knownFailures: 0,
    });
    assert.deepEqual((await index.failures()).map(({ code }) => code).sort(), [
      'IMAGE_TOO_LARGE',
      'URL_UNSUPPORTED',
    ]);
    assert.deepEqual(counts(await run(engine, index, await openSource(manifest, {}))), known);
    const retried = await run(engine, index, await openSource(manifest, {}), { retryFailed: true });
    assert.deepEqual(counts(retried), { ...known, knownFailures: 0 });
  });

  test('a broken sidecar is a known failure, and mended it is none', async (t) => {
    const folder = await temporaryFolder(t);
    await put(folder, 'a.png', await drawPicture(1));
    await put(folder, 'a.json', '{');
    await using index = await openIndex(join(folder, '.index'), engine);
    await run(engine, index, await openSource(folder, {}));
    const second = await run(engine, index, await openSource(folder, {}));
    assert.deepEqual(counts(second), { ...ONE, seen: 2, skipped: 1, failed: 1, knownFailures: 1 });
    await run(engine, index, await openSource(folder, {}), { retryFailed: true });
    assert.deepEqual(
      (await index.failures()).map(({ attempts }) => attempts),
      [2],
    );
    await put(folder, 'a.json', '{"caption": "a picture"}');
    const mended = await run(engine, index, await openSource(folder, {}));
    assert.deepEqual(counts(mended), { ...ONE, seen: 2, stored: 1, skipped: 1 });
    assert.deepEqual(await index.failures(), []);
  });

  test('a failed picture that was deleted is no failure after the next whole pass', async (t) => {
    const folder = await temporaryFolder(t);
    for (const name of ['a.png', 'b.png', 'c.png']) await put(folder, name, 'no picture');
    await put(folder, 'other/d.png', 'no picture');
    await using index = await openIndex(join(folder, '.index'), engine);
    await run(engine, index, await openSource(folder, {}));
    // Another source of the same collection: what it lists is not for the folder to take away.
    await put(folder, '.list.csv', 'image\nnowhere.png\n');
    await run(engine, index, await openSource(join(folder, '.list.csv'), {}));
    await rm(join(folder, 'b.png'));
    await rm(join(folder, 'other'), { recursive: true });
    const stopped = new AbortController();
    stopped.abort();
    await run(engine, index, await openSource(folder, {}), { signal: stopped.signal });
    assert.equal((await index.failures()).length, 5, 'a pass that was stopped proves nothing');
    const { failed, knownFailures } = await run(engine, index, await openSource(folder, {}));
    assert.deepEqual([failed, knownFailures], [2, 2]);
    assert.deepEqual((await index.failures()).map(({ id }) => id).sort(), ['a.png', 'c.png', 'nowhere.png']);
  });
});
