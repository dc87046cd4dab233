import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseQueryJob } from '#queue/job.ts';
import {
  embedRequestSchema,
  matchRequestSchema,
  pairsRequestSchema,
  parseAnswer,
  parseRequest,
  retrieveRequestSchema,
  searchRequestSchema,
} from '#search/request.ts';

const search = (data: object) => parseRequest(searchRequestSchema, data, 'search');
const LONG = 'x'.repeat(65_537);

describe('requests', () => {
  test('what may be left out has its default', () => {
    assert.deepEqual(search({ text: 'a' }), { collection: 'default', text: 'a', in: 'images', k: 10 });
    const pairs = { collection: 'default', threshold: -1, out: 'a.parquet' };
    assert.deepEqual(parseRequest(pairsRequestSchema, { out: 'a.parquet' }, 'score pairs'), pairs);
  });

  test('a Node program may ask by the bytes of a picture, a job may not', () => {
    const image = new Uint8Array([1, 2]);
    assert.equal(search({ image }).image, image);
    assert.equal(parseRequest(embedRequestSchema, { image }, 'embed').image, image);
    assert.throws(() => parseQueryJob({ kind: 'search', image }), {
      code: 'JOB_INVALID',
      message: /"image"/,
    });
  });

  for (const [data, message] of [
    [{ text: 'a', k: 100_001 }, '"k" to be right (number to be <=100000), received 100001'],
    [{ text: 'a', k: 1.5 }, '"k" to be right (int), received 1.5'],
    [{ text: 'a', rerank: 1001 }, '"rerank" to be right (number to be <=1000), received 1001'],
    [{ texts: Array(65).fill({ text: 'a' }) }, /"texts" to be right \(array to have <=64 items\)/],
    [{ text: LONG }, /"text" to be right \(string to have <=65536 characters\)/],
    [{ text: 'a', where: LONG }, /"where" to be right/],
    [{ text: 'a', minScore: Number.NaN }, /"minScore" to be right/],
    [
      {},
      /its data to be right \(a text or texts, an image, keys, or several of them; or an id; or a key; or a vector\)/,
    ],
    [{ text: 'a', collection: '../x' }, /"collection" to be right/],
  ] as const) {
    test(`a search beyond its limits is REQUEST_INVALID, as a job it is JOB_INVALID: ${message}`, () => {
      const expected = typeof message === 'string' ? `Cannot search: expected ${message}` : message;
      assert.throws(() => search(data), { code: 'REQUEST_INVALID', message: expected });
      assert.throws(() => parseQueryJob({ kind: 'search', ...data }), { code: 'JOB_INVALID' });
    });
  }

  test('embed, match and retrieve have limits of their own', () => {
    const refused = { code: 'REQUEST_INVALID' };
    assert.throws(() => parseRequest(embedRequestSchema, { texts: Array(257).fill('a') }, 'embed'), refused);
    assert.throws(
      () => parseRequest(matchRequestSchema, { image: 'a', texts: Array(257).fill('a') }, 'match'),
      refused,
    );
    const retrieve = { queries: 'captions', in: 'images', out: 'a.parquet', k: 100_001 };
    assert.throws(() => parseRequest(retrieveRequestSchema, retrieve, 'retrieve'), refused);
  });
});

describe('parseAnswer', () => {
  test('an answer is itself; a newer one without what it has more', () => {
    const answer = {
      answered: 1,
      skipped: 0,
      failed: 0,
      hits: 3,
      isWhole: true,
      truncated: { count: 0, first: [] },
    };
    const refusal = { code: 'QUERY_FAILED', action: 'answer query' } as const;
    assert.deepEqual(parseAnswer('retrieve', { ...answer, more: 1 }, refusal), answer);
    assert.throws(() => parseAnswer('retrieve', { ...answer, hits: '3' }, refusal), { code: 'QUERY_FAILED' });
    assert.throws(() => parseAnswer('embed', null, refusal), { code: 'QUERY_FAILED' });
  });
});
