import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { resolveDevice } from '#devices/device.ts';
import { readParquet } from '#parquet.ts';
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import { type QueryStream, storedQueries } from '#search/batch/queries.ts';
import { type Retrieval, retrieve } from '#search/batch/retrieve.ts';
import { parseFilter } from '#search/filter/filter.ts';
import { parsePlaceText } from '#store/item-key.ts';
import { seededRandom } from '../../fixtures/files.ts';
import {
  captionRow,
  closeAfter,
  generationSpec,
  imageRow,
  temporaryFolder,
  temporaryStore,
  unitVectors,
} from '../../store/lance/store-fixture.ts';

const D = 16;
const CAPTIONS = 700;

/** A collection of 200 pictures and 700 captions, and a request over it. */
async function begin(t: TestContext): Promise<Retrieval> {
  const store = await temporaryStore(t);
  const tables = await store.openGeneration(generationSpec({ dimensions: D }));
  const random = seededRandom(1);
  const images = Array.from({ length: 200 }, (_, i) => imageRow(`image ${i}`, { width: i, meta: { i } }));
  await tables.images.upsert({ rows: images, vectors: unitVectors(200, D, random) });
  const captions = Array.from({ length: CAPTIONS }, (_, i) => captionRow(`caption ${i}`));
  await tables.captions.upsert({ rows: captions, vectors: unitVectors(CAPTIONS, D, random) });
  const device = await resolveDevice('cpu');
  const scorer = closeAfter(t, createResidentScorer(tables.images, { device, dimensions: D, maxTail: 10 }));
  return {
    // Read anew each time.
    queries: { [Symbol.asyncIterator]: () => storedQueries(tables, 'captions')[Symbol.asyncIterator]() },
    nearestIds: scorer.nearestIds,
    rows: tables.images,
    k: 3,
    out: join(await temporaryFolder(t), 'results.parquet'),
    asked: { k: 3 },
    signal: new AbortController().signal,
  };
}

describe('retrieve', () => {
  test('gives every query the hits that nearest gives it, in a file of Parquet', async (t) => {
    const asked = await begin(t);
    const summary = await retrieve(asked);
    assert.deepEqual(summary, {
      answered: CAPTIONS,
      skipped: 0,
      failed: 0,
      hits: 3 * CAPTIONS,
      isWhole: true,
    });
    const rows = await readParquet(asked.out);
    assert.equal(rows.length, 3 * CAPTIONS);
    let checked = 0;
    for await (const queries of asked.queries) {
      for (const { id, source, query, vector } of queries) {
        const [hits = []] = await asked.nearestIds(vector as Float32Array, { k: 3 });
        const mine = rows.filter((row) => row.query_id === id);
        const expected = hits.map((hit, i) => ({
          ...{ query_id: id, query_source: source, query, rank: i + 1 },
          ...{ ...parsePlaceText(hit.id), score: hit.score },
          meta: `{"i":${parsePlaceText(hit.id).id.slice(6)}}`,
          error: null,
        }));
        assert.deepEqual(mine, expected);
        if (++checked === 40) return;
      }
    }
  });

  test('filters and least scores leave a row for a query without hits', async (t) => {
    const asked = await begin(t);
    await retrieve({ ...asked, where: parseFilter('width < 5', 'image'), minScore: 0.4 });
    const rows = await readParquet(asked.out);
    assert.equal(new Set(rows.map((row) => row.query_id)).size, CAPTIONS);
    const [none = {}] = rows.filter(({ rank }) => rank === null);
    assert.deepEqual([none.id, none.score, none.error], [null, null, null]);
    for (const { id, score, rank } of rows)
      if (rank !== null) assert.ok(Number(String(id).slice(6)) < 5 && Number(score) >= 0.4, `${id} ${score}`);
  });

  test('a run that was stopped goes on: nothing is done twice, nothing is lost', async (t) => {
    const asked = await begin(t);
    const stop = new AbortController();
    async function* stopping(): QueryStream {
      let seen = 0;
      for await (const queries of asked.queries)
        for (const query of queries) {
          yield [query];
          seen += 1;
          if (seen === 300) stop.abort();
        }
    }
    const first = await retrieve({ ...asked, queries: stopping(), signal: stop.signal });
    assert.deepEqual([first.isWhole, first.answered], [false, 256]);
    assert.deepEqual(await readdir(join(asked.out, '..')), ['results.parquet.parts']);
    const second = await retrieve(asked);
    assert.deepEqual([second.answered, second.skipped, second.isWhole], [CAPTIONS - 256, 256, true]);
    assert.deepEqual(await readdir(join(asked.out, '..')), ['results.parquet']);
    const keys = (await readParquet(asked.out)).map(({ query_id, rank }) => `${query_id} ${rank}`);
    assert.equal(keys.length, 3 * CAPTIONS);
    assert.equal(new Set(keys).size, 3 * CAPTIONS);
  });

  test('a query without a vector is a row that says why, and the others are answered', async (t) => {
    const asked = await begin(t);
    const error = { code: 'IMAGE_INVALID', message: 'Cannot decode it' } as const;
    async function* withBroken(): QueryStream {
      yield [{ id: 'broken', source: null, query: 'x.png', vector: error, subject: undefined }];
      yield* asked.queries;
    }
    const { failed, answered } = await retrieve({ ...asked, queries: withBroken() });
    assert.deepEqual([failed, answered], [1, CAPTIONS]);
    const [row] = (await readParquet(asked.out)).filter(({ query_id }) => query_id === 'broken');
    assert.equal(row?.error, 'Cannot decode it [IMAGE_INVALID]');
  });

  test('refuses to go on with the parts of another request, and says where it cannot write', async (t) => {
    const asked = await begin(t);
    const stop = AbortSignal.abort();
    await retrieve({ ...asked, signal: stop });
    await assert.rejects(retrieve({ ...asked, asked: { k: 4 } }), { code: 'RESULTS_CONFLICT' });
    const file = join(asked.out, '..', 'a file');
    await writeFile(file, '');
    await assert.rejects(retrieve({ ...asked, out: join(file, 'x.parquet') }), {
      code: 'RESULTS_UNWRITABLE',
    });
  });
});
