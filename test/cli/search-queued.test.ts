import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { readQuery } from '#cli/search-query.ts';
import { resolveCommand } from '#config/resolve.ts';
import { parseRedisUrl } from '#queue/address.ts';
import { closeRedis, connectRedis } from '#queue/connection.ts';
import { createQueryClient } from '#queue/query-client.ts';
import type { SearchAnswer, SearchOrder } from '#search/request.ts';
import { openIndex } from '#service/open-index.ts';
import { pictureName } from '../pipeline/pictures.ts';
import { vlmo } from './cli-fixture.ts';
import { openScene, readLog, startSuite } from './queue-suite.ts';

const suite = await startSuite({ after });
const image = join(suite.pictures, pictureName(4));

/** What is asked, as flags and as a request. */
const SEARCHES: readonly (readonly [string | undefined, object, Omit<SearchOrder, 'k'>])[] = [
  ['red 3', {}, { in: 'images' }],
  ['red 3', {}, { in: 'captions', groupBy: 'image_id', where: 'meta.n > 2' }],
  ['"red 3"^2 -"a thing 7"', {}, { in: 'captions', minScore: -0.5 }],
  [undefined, { image }, { in: 'images' }],
  ['"red 3"', { image, imageWeight: 0.5 }, { in: 'images' }],
  [undefined, { id: pictureName(2) }, { in: 'captions' }],
  ['red 3', { hybrid: true }, { in: 'images' }],
  ['red 3', { keywords: 'thing 7 nothing' }, { in: 'captions', groupBy: 'image_id' }],
  ['red 3', {}, { in: 'images', rerank: 6, minMatch: 0.01 }],
  [undefined, { image }, { in: 'captions', rerank: 5 }],
  [undefined, { id: pictureName(2) }, { in: 'captions', rerank: 5 }],
];

describe('a search that a worker answers', { timeout: 600_000 }, () => {
  test('gives what the same search gives here, page by page, whoever gave the page before', async (t) => {
    await using scene = await openScene(t, suite);
    await vlmo(['index', suite.good, '--index', scene.index, '--model', suite.model]);
    await readLog(scene.worker(['--device', 'cpu'])).until('taking jobs');
    await using index = await openIndex(scene.index, { compute: 'thread', device: 'cpu' });
    const redis = await connectRedis(parseRedisUrl(suite.redis.url), { onError: () => undefined });
    t.after(() => closeRedis(redis));
    await using client = await createQueryClient(redis, index.id);
    for (const [text, flags, order] of SEARCHES) {
      const { config } = resolveCommand('search', { flags: { ...flags }, env: {}, file: {} });
      const { parts, keywords } = readQuery(text, config);
      let cursor: string | undefined;
      for (let page = 1; page <= 2; page++) {
        const request = { ...order, ...parts, k: 3, keywords, cursor };
        const here = await index.search(request);
        const there = await client.query({ kind: 'search', ...request });
        assertSame(there, here, `${text} ${JSON.stringify([flags, request])}`);
        cursor = (page % 2 === 0 ? here : there).cursor ?? undefined;
      }
    }
    // By the command line as well.
    const asked = [
      'search',
      '"red 3" -"a thing 7"',
      '--in',
      'captions',
      '--group-by',
      'image_id',
      '--hybrid',
    ];
    const both = async (more: readonly string[]): Promise<readonly Page[]> => [
      ...((await scene.json([...asked, ...more, '--queued'])) as Page[]),
      ...((await scene.json([...asked, ...more])) as Page[]),
    ];
    const [queued, direct] = await both([]);
    assert.deepEqual({ ...queued, cursor: null }, { ...direct, cursor: null });
    // A worker's cursor holds the vector of the query, this one's does not; either goes on on either way.
    for (const cursor of [queued?.cursor, direct?.cursor]) {
      assert.equal(typeof cursor, 'string');
      const [there, here] = await both(['--cursor', cursor ?? '']);
      assert.deepEqual(there?.hits, here?.hits);
    }
    await assert.rejects(
      client.query({ kind: 'search', text: 'red 3', cursor: 'forged' }),
      ({ code }: { code?: unknown }) => code === 'CURSOR_INVALID',
    );
    await assert.rejects(
      client.query({ kind: 'search', text: 'red', in: 'captions', rerank: 3 }),
      ({ code }: { code?: unknown }) => code === 'USAGE_INVALID',
    );
  });
});

interface Page {
  readonly hits: readonly unknown[];
  readonly cursor: string | null;
}

/** The same rows; what the encoder says of them may differ in the last digits, since it reads others beside them. */
function assertSame(there: SearchAnswer, here: SearchAnswer, what: string): void {
  const exact = ({ hits }: SearchAnswer) => hits.map(({ score, match, ...hit }) => hit);
  assert.deepEqual(exact(there), exact(here), what);
  assert.equal(there.cursor === null, here.cursor === null, what);
  assert.equal(there.approximate, here.approximate);
  for (const [i, hit] of here.hits.entries()) {
    const other = there.hits[i] ?? assert.fail();
    assert.ok(Math.abs(hit.score - other.score) <= (hit.match === null ? 0 : 1e-3), what);
    assert.ok(Math.abs((hit.match ?? 0) - (other.match ?? 0)) < 1e-4, what);
  }
}
