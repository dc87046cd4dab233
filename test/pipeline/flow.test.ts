import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Item } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import type { CaptionTable } from '#store/contract.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { decodersOf } from '../workers/decode/children.ts';
import { watchThreads } from '../workers/threads/threads.ts';
import { drawPictures } from './pictures.ts';
import {
  counts,
  type Engine,
  generated,
  type Index,
  openIndex,
  run,
  startEngine,
} from './pipeline-fixture.ts';

let engine: Engine;
before(async () => {
  engine = await startEngine();
});
after(() => engine[Symbol.asyncDispose]());

/**
 * Items that may be under way: two commits of 2,048 rows, two chunks of 512 items of the source, and a batch of 64 for
 * each of the 2 + 2 · 2 in flight and the one that waits.
 */
const MAX_AHEAD = 2 * 2048 + 2 * 512 + 7 * 64;

describe('indexSource: flow', () => {
  test('a slow store holds the source back, and memory does not grow with what passes', async (t) => {
    await using index = await openIndex(join(await temporaryFolder(t), 'index'), engine);
    const total = 16_000;
    const heap: number[] = [];
    let [given, committed, furthest] = [0, 0, 0];
    const slow = slowly(index, (rows) => {
      committed += rows;
    });
    const source = generated(async function* () {
      for (; given < total; given++) {
        furthest = Math.max(furthest, given - committed);
        if (given === total / 2 || given === total - 1) heap.push(measureHeap());
        yield caption(given);
      }
    });
    const { stored } = await run(engine, slow, source);
    assert.deepEqual([stored, committed], [total, total]);
    assert.ok(furthest <= MAX_AHEAD, `${furthest} items ahead of the store`);
    assert.ok(furthest >= 2048, `the store was not slow: ${furthest} items ahead at most`);
    const grown = ((heap[1] ?? Number.NaN) - (heap[0] ?? Number.NaN)) / 1e6;
    assert.ok(grown < 10, `${grown} MB grown between half of the items and all`);
  });

  test('told to stop, what was taken is stored, the run is interrupted, and the next one completes', async (t) => {
    const folder = await temporaryFolder(t);
    const pictures = join(folder, 'pictures');
    await drawPictures(pictures, 0, 40);
    await using index = await openIndex(join(folder, 'index'), engine);
    const stop = new AbortController();
    let taken = 0;
    const source = await openSource(pictures, {});
    const stopping = generated(async function* (signal) {
      for await (const item of source.items(signal)) {
        if (++taken === 17) stop.abort();
        yield item;
      }
    });
    const first = await run(engine, index, stopping, { signal: stop.signal, sourceName: 'pictures' });
    assert.deepEqual(counts(first), {
      ...{ state: 'interrupted', seen: 16, stored: 16 },
      ...{ skipped: 0, failed: 0, knownFailures: 0 },
    });
    assert.equal(await index.tables.images.count(), 16);
    const second = await run(engine, index, await openSource(pictures, {}), { sourceName: 'pictures' });
    assert.deepEqual([second.state, second.stored, second.skipped], ['complete', 24, 16]);
  });

  test('a source that never gives another item does not keep a run that was told to stop', async (t) => {
    await using index = await openIndex(join(await temporaryFolder(t), 'index'), engine);
    const stop = new AbortController();
    const waiting = generated(async function* (signal) {
      yield caption(0);
      queueMicrotask(() => stop.abort());
      await new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('stopped')));
      });
    });
    const { state, stored } = await run(engine, index, waiting, { signal: stop.signal });
    assert.deepEqual([state, stored], ['interrupted', 1]);
  });

  test('a source that breaks ends the run with its error, and what was taken is finished', async (t) => {
    await using index = await openIndex(join(await temporaryFolder(t), 'index'), engine);
    const broken = generated(async function* () {
      for (let n = 0; n < 600; n++) yield caption(n);
      throw new RangeError('the list ends here');
    });
    await assert.rejects(run(engine, index, broken), new RangeError('the list ends here'));
    const { stored, skipped } = await run(
      engine,
      index,
      generated(async function* () {
        for (let n = 0; n < 600; n++) yield caption(n);
      }),
    );
    assert.equal(stored + skipped, 600);
  });

  test('processes and threads that die in the middle cost nothing: every item is stored', async (t) => {
    using threads = watchThreads();
    await using own = await startEngine();
    const folder = await temporaryFolder(t);
    const pictures = join(folder, 'pictures');
    await drawPictures(pictures, 0, 120);
    await using index = await openIndex(join(folder, 'index'), own);
    const initial = threads.started();
    const killed: number[] = [];
    const source = await openSource(pictures, {});
    const deadly = generated(async function* (signal) {
      let n = 0;
      for await (const item of source.items(signal)) {
        n += 1;
        yield item;
      }
      assert.equal(n, 120);
    });
    const running = run(own, index, deadly, {
      onStart: (ask) => {
        const killer = setInterval(() => {
          if (ask().seen === 0) return;
          clearInterval(killer);
          killed.push(...decodersOf());
          for (const pid of killed) process.kill(pid, 'SIGKILL');
        }, 1);
        // As soon as the first are on their way, every thread ends.
        for (const [i, thread] of [...threads.alive].entries()) {
          const timer = setInterval(() => {
            if (ask().seen === 0) return;
            clearInterval(timer);
            void thread.terminate();
          }, 1 + i);
        }
      },
    });
    const { seen, stored, failed } = await running;
    assert.ok(threads.started() > initial, 'threads died and were replaced');
    assert.ok(killed.length > 0, 'processes died');
    assert.deepEqual([seen, stored, failed], [120, 120, 0]);
  });
});

/** The index with commits of captions that take their time. */
function slowly(
  { store, tables }: Index,
  committed: (rows: number) => void,
): Pick<Index, 'store' | 'tables'> {
  const captions: CaptionTable = {
    ...tables.captions,
    async upsert(batch) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await tables.captions.upsert(batch);
      committed(batch.rows.length);
    },
  };
  return { store, tables: { ...tables, captions } };
}

function measureHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function caption(n: number): Item {
  return { kind: 'caption', id: `c${n}`, imageId: null, uri: 'list', caption: `red ${n % 9}`, meta: {} };
}
