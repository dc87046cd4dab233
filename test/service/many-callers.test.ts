import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import type { Item, Source } from '#sources/item.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName } from '../pipeline/pictures.ts';

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const pictures = join(folder, 'pictures');
const SMALL = { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 } as const;
let index: OpenIndex;

before(async () => {
  await mkdir(pictures, { recursive: true });
  await drawPictures(pictures, 0, 6);
  index = await openIndex(join(folder, 'index'), { ...SMALL, create: true, model: MODEL });
  await index.index(pictures);
  await index.warm();
});

after(() => index.close());

/** A source that gives one picture, and then nothing for ever. */
function stuckSource(uri: string): Source & { readonly reached: Promise<void> } {
  const reached = Promise.withResolvers<void>();
  return {
    uri,
    fraction: () => undefined,
    reached: reached.promise,
    async *items(): AsyncGenerator<Item> {
      yield { kind: 'image', id: 'one', uri: join(pictures, pictureName(0)), meta: {} };
      reached.resolve();
      await new Promise(() => undefined);
    },
  };
}

describe('an opened index with many callers', { timeout: 120_000 }, () => {
  test('60 searches at once find what each finds alone, and their pages go on', async () => {
    const asked = Array.from({ length: 60 }, (_, i) => ({
      text: `${'red '.repeat(1 + (i % 5))}thing ${i}`,
      k: 2 + (i % 3),
    }));
    const together = await Promise.all(asked.map((request) => index.search(request)));
    for (const [i, request] of asked.entries()) {
      const whole = await index.search({ ...request, k: 6 });
      const { hits, cursor } = together[i] ?? assert.fail();
      const rest = await index.search({ ...request, k: 6, cursor: cursor ?? '' });
      const paged = [...hits, ...rest.hits];
      assert.equal(new Set(paged.map(({ id }) => id)).size, 6, 'every row once');
      for (const [place, { score }] of paged.entries())
        assert.ok(Math.abs(score - (whole.hits[place]?.score ?? Number.NaN)) < 1e-5);
    }
  });

  test('beyond maxCalls a question is ENGINE_BUSY with the wait, and answered when there is room', async () => {
    await using small = await openIndex(index.folder, { ...SMALL, maxCalls: 3 });
    await small.search({ text: 'red' });
    const ends = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        i % 2 ? small.search({ text: 'red' }) : small.embed({ texts: ['a'] }),
      ),
    );
    const refused = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    assert.equal(refused.length, 5);
    for (const error of refused) {
      const { code, retriable, retryAfterMs } = error as Record<string, unknown>;
      assert.deepEqual([code, retriable], ['ENGINE_BUSY', true]);
      assert.ok(Number(retryAfterMs) >= 100 && Number(retryAfterMs) < 60_000);
    }
    assert.equal((await small.search({ text: 'red' })).hits.length, 6);
  });

  test('a call ends in the middle when its signal is aborted, the others do not notice; close waits for it', async () => {
    const own = await openIndex(index.folder, SMALL);
    const picture = join(pictures, pictureName(1));
    for (const call of [
      (signal: AbortSignal) => own.search({ text: 'red', rerank: 6 }, { signal }),
      (signal: AbortSignal) => own.embed({ image: picture }, { signal }),
      (signal: AbortSignal) => own.match({ image: picture, texts: ['a', 'b'] }, { signal }),
      (signal: AbortSignal) => own.optimize({ signal }),
    ]) {
      const stop = new AbortController();
      const beside = own.search({ text: 'two dogs' });
      const ended = assert.rejects(call(stop.signal), { message: 'enough' });
      await new Promise((resolve) => setImmediate(resolve));
      stop.abort(new Error('enough'));
      await ended;
      assert.equal((await beside).hits.length, 6);
    }
    const stop = new AbortController();
    const last = own.search({ text: 'red', rerank: 6 }, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await assert.rejects(last, { message: 'enough' });
    await own.close();
  });

  test('indexing stops though its source gives nothing any more, with what it was given stored', async () => {
    const own = await openIndex(join(folder, 'stuck'), { ...SMALL, create: true, model: MODEL });
    const stop = new AbortController();
    const source = stuckSource('memory:stuck');
    const indexing = own.index(source, { signal: stop.signal });
    await source.reached;
    stop.abort();
    const { state, seen } = await indexing;
    assert.deepEqual([state, seen], ['interrupted', 1]);
    await own.close();
  });

  test('retrieval stops in the middle, says so, and the same call goes on', async () => {
    const out = join(folder, 'hits.parquet');
    const asked = { queries: 'images', in: 'images', k: 1, out } as const;
    const stop = new AbortController();
    const { isWhole } = await index.retrieve(asked, { signal: stop.signal, onStart: () => stop.abort() });
    assert.equal(isWhole, false);
    assert.deepEqual(
      (({ answered, skipped, isWhole }) => [answered + skipped, isWhole])(await index.retrieve(asked)),
      [6, true],
    );
  });

  test('once warm, the thread that answers opens and looks at no file synchronously', async () => {
    const image = join(pictures, pictureName(2));
    const bytes = await readFile(image);
    const met: string[] = [];
    const names = ['openSync', 'readFileSync', 'statSync', 'lstatSync', 'existsSync', 'readdirSync'] as const;
    const originals = names.map((name) => fs[name]);
    for (const name of names) {
      const original = fs[name] as (...args: unknown[]) => unknown;
      Reflect.set(fs, name, (...args: unknown[]) => {
        met.push(`${name} ${String(args[0])}`);
        return original(...args);
      });
    }
    syncBuiltinESMExports();
    try {
      await index.search({ text: 'red', rerank: 3 });
      await index.search({ image: bytes, where: 'width >= 1' });
      await index.search({ image, in: 'images', keywords: 'red' });
      await index.embed({ texts: ['a', 'b'] });
      await index.match({ image, texts: ['a'] });
    } finally {
      for (const [i, name] of names.entries()) Reflect.set(fs, name, originals[i]);
      syncBuiltinESMExports();
    }
    assert.deepEqual(met, []);
  });
});
