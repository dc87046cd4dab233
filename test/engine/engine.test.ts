import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Engine, EngineDied, startEngine } from '#engine/engine.ts';
import type { EngineSetup } from '#engine/protocol.ts';
import { VlmoError } from '#errors.ts';
import type { QueryJob } from '#queue/job.ts';
import type { Item } from '#sources/item.ts';
import type { GenerationRecord, Store } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { openStore } from '#store/lance/open-store.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import { collect } from '../pipeline/pipeline-fixture.ts';
import { caption, engineSetup, openModelGeneration } from './engine-fixture.ts';

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const pictures = join(folder, 'pictures');
let store: Store;
let generation: GenerationRecord;

before(async () => {
  await drawPictures(pictures, 0, 4);
  await put(pictures, 'bad.png', 'crash the process');
  store = await openStore(join(folder, 'index'), { create: true });
  generation = await openModelGeneration(store, MODEL);
  // Read by every engine that is started from here.
  process.env.CRASH = 'parent';
  process.env.NODE_OPTIONS = `--import ${pathToFileURL(fixture('crash-hook.ts')).href}`;
});

after(() => store.close());

interface Started extends AsyncDisposable {
  readonly engine: Engine;
  readonly deaths: readonly string[];
}

async function start(changes: Partial<EngineSetup> = {}): Promise<Started> {
  const deaths: string[] = [];
  const engine = await startEngine({ ...engineSetup(store.uri), ...changes }, (how) => deaths.push(how));
  return { engine, deaths, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}

function image(name: string): Item {
  return { kind: 'image', id: name, uri: join(pictures, name), meta: {} };
}

function index(engine: Engine, items: readonly Item[]) {
  return engine.call({
    kind: 'index',
    run: 'r',
    runNumber: 1,
    source: 's',
    generation,
    retryFailed: false,
    items,
  });
}

describe('startEngine', { timeout: 300_000 }, () => {
  test('takes items all the way into the store, several calls at once, each with its own tally', async () => {
    await using started = await start();
    const [first, second] = await Promise.all([
      index(started.engine, [image(pictureName(0)), image(pictureName(1)), caption('a')]),
      index(started.engine, [image(pictureName(2)), image('missing.png')]),
    ]);
    assert.deepEqual(first, {
      ...{ stored: 3, skipped: 0, failed: 0, failures: [] },
      kinds: {
        images: { seen: 0, stored: 2, skipped: 0, failed: 0 },
        captions: { seen: 0, stored: 1, skipped: 0, failed: 0 },
      },
    });
    assert.deepEqual([second.stored, second.failed], [1, 1]);
    assert.deepEqual(
      second.failures.map(({ item, error, attempts }) => [item.id, error.code, attempts]),
      [['missing.png', 'ITEM_NOT_FOUND', 1]],
    );
    const { images } = await store.tables(generation);
    assert.deepEqual((await collect(images.scan())).map(({ id }) => id).sort(), [0, 1, 2].map(pictureName));
    const again = await index(started.engine, [image(pictureName(0)), caption('a')]);
    assert.deepEqual([again.stored, again.skipped], [0, 2]);
    assert.deepEqual(started.deaths, []);
  });

  test('a query ends with the reason of its signal, and those beside it are answered', async () => {
    await using started = await start();
    await store.activate(generation);
    const query: QueryJob = { kind: 'embed', collection: 'default', texts: ['red'] };
    const stop = new AbortController();
    const [gone, stays] = [
      started.engine.call({ kind: 'query', query }, stop.signal),
      started.engine.call({ kind: 'query', query }),
    ];
    stop.abort(new Error('changed my mind'));
    await assert.rejects(gone, { message: 'changed my mind' });
    const answer = await stays;
    assert.ok('embeddings' in answer && answer.embeddings.length === 1);
    await assert.rejects(started.engine.call({ kind: 'query', query }, stop.signal), {
      message: 'changed my mind',
    });
  });

  test('as many queries as the index takes, then ENGINE_BUSY with the wait', async () => {
    await using started = await start({ maxCalls: 1 });
    const query: QueryJob = { kind: 'embed', collection: 'default', texts: ['red'] };
    const ends = await Promise.allSettled([1, 2, 3].map(() => started.engine.call({ kind: 'query', query })));
    const busy = ends.filter((end) => end.status === 'rejected' && end.reason.code === 'ENGINE_BUSY');
    assert.ok(busy.length >= 1);
    for (const end of busy)
      assert.ok(end.status === 'rejected' && (end.reason as VlmoError).retryAfterMs !== undefined);
  });

  test('an index that cannot be opened: a VlmoError by its code', async () => {
    const wrong = start({ index: join(folder, 'none') });
    await assert.rejects(wrong, (error) => {
      assert.ok(error instanceof VlmoError && error.code === 'STORE_NOT_FOUND', String(error));
      return true;
    });
  });

  test('what a call throws has crossed processes with its code, and the process goes on', async () => {
    await using started = await start();
    const moved = { ...generation, modelPath: join(folder, 'gone') };
    await assert.rejects(started.engine.call({ kind: 'load', generation: moved }), (error) => {
      assert.ok(error instanceof VlmoError && error.code === 'MODEL_NOT_FOUND', String(error));
      return true;
    });
    assert.equal(await started.engine.call({ kind: 'load', generation }), null);
    assert.deepEqual(started.deaths, []);
  });

  test('the process dies: EngineDied for every call of it, and the next call starts another', async () => {
    await using started = await start();
    await started.engine.call({ kind: 'load', generation });
    const calls = [index(started.engine, [image('bad.png')]), index(started.engine, [image('bad.png')])];
    for (const call of calls) await assert.rejects(call, EngineDied);
    assert.deepEqual(started.deaths, ['signal SIGABRT']);
    assert.equal((await index(started.engine, [caption('after')])).stored, 1);
  });

  test('set-aside: listed as failed with its attempts, without a look at it', async () => {
    await using started = await start();
    const item = image('bad.png');
    const tally = await started.engine.call({
      kind: 'quarantine',
      run: 'r',
      runNumber: 1,
      source: 's',
      generation,
      item,
    });
    assert.deepEqual([tally.stored, tally.failed], [0, 1]);
    assert.deepEqual(started.deaths, []);
    const [failure] = await store.failures.find('default', [itemKey('s', 'image', 'bad.png')]);
    assert.deepEqual([failure?.code, failure?.attempts, failure?.run], ['ITEM_CRASHES', 1, 'r']);
    assert.deepEqual(JSON.parse(failure?.item ?? ''), { ...item, source: 's' });
  });

  test('closed in the middle of a call: EngineDied, none of it is written later, and no process starts again', async () => {
    const { engine, deaths } = await start();
    await engine.call({ kind: 'load', generation });
    const many = Array.from({ length: 4000 }, (_, n) => caption(`late ${n}`, `red thing ${n} `.repeat(10)));
    const call = index(engine, many);
    call.catch(() => undefined);
    await engine[Symbol.asyncDispose]();
    await assert.rejects(call, EngineDied);
    const listed = await store.failures.find(
      'default',
      many.map(({ id }) => itemKey('s', 'caption', id)),
    );
    assert.deepEqual(listed, []);
    await assert.rejects(index(engine, [caption('z')]), EngineDied);
    assert.deepEqual(deaths, []);
  });
});
