import assert from 'node:assert/strict';
import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import { assertCannotRun, vlmo, vlmoJson } from './cli-fixture.ts';

interface Found {
  readonly query: string;
  readonly hits: readonly {
    readonly rank: number;
    readonly id: string;
    readonly kind: string;
    readonly uri: string;
    readonly caption: string | null;
    readonly score: number;
    readonly cosine: number;
    readonly match: number | null;
  }[];
  readonly cursor: string | null;
  readonly approximate: boolean;
}

const HIT_KEYS = [
  'rank',
  'id',
  'kind',
  'uri',
  'caption',
  'meta',
  'score',
  'cosine',
  'match',
  'key',
  'source',
  'width',
  'height',
  'imageKey',
];
const COUNT = 12;
const folder = await temporaryFolder({ after });
const index = join(folder, 'index');
const pictures = join(folder, 'pictures');
const model = join(folder, 'tiny');

/** Twelve pictures; the even ones have a caption and meta; indexed by a model that can move. */
before(async () => {
  await importTiny(folder);
  await drawPictures(pictures, 0, COUNT);
  const even = Array.from({ length: COUNT / 2 }, (_, i) => 2 * i);
  const lines = even.map((n) =>
    JSON.stringify({ file_name: pictureName(n), text: `red ${n}`, n, tag: `t${n % 4}` }),
  );
  await put(pictures, 'metadata.jsonl', lines.join('\n'));
  await vlmoJson(['index', pictures, '--index', index, '--model', model, '--json']);
});

async function search(...args: string[]): Promise<Found> {
  const { lines } = await vlmoJson<Found>(['search', '--index', index, '--json', ...args]);
  assert.equal(lines.length, 1);
  return lines[0] as Found;
}

describe('vlmo search', () => {
  test('by text: k hits with exactly these keys, best first', async () => {
    const found = await search('red blocks', '-k', '5');
    assert.deepEqual(Object.keys(found), ['query', 'hits', 'cursor', 'approximate', 'calibrated']);
    assert.equal(found.approximate, false);
    assert.equal(found.query, 'red blocks');
    assert.equal(found.hits.length, 5);
    for (const [i, hit] of found.hits.entries()) {
      assert.deepEqual(Object.keys(hit), HIT_KEYS);
      assert.deepEqual([hit.cosine, hit.match], [hit.score, null]);
      assert.deepEqual([hit.rank, hit.kind, hit.uri], [i + 1, 'image', join(pictures, hit.id)]);
      const n = Number(hit.id.slice(1, 5));
      assert.equal(hit.caption, n % 2 === 0 ? `red ${n}` : null);
      assert.ok(hit.score <= (found.hits[i - 1]?.score ?? 1));
    }
  });

  test('by picture and by id: the picture itself comes first, with cosine 1', async () => {
    const id = pictureName(4);
    for (const args of [
      ['--image', join(pictures, id)],
      ['--id', id],
    ]) {
      const { query, hits } = await search(...args, '-k', '1');
      assert.equal(query, args[1]);
      assert.equal(hits[0]?.id, id);
      assert.ok(Math.abs((hits[0]?.score ?? 0) - 1) < 2e-3);
    }
  });

  test('--in captions finds captions, by text and by the id of one', async () => {
    const { hits } = await search('red 4', '--in', 'captions', '-k', '100');
    assert.equal(hits.length, COUNT / 2);
    assert.deepEqual(
      [hits[0]?.kind, hits[0]?.caption, hits[0]?.id],
      ['caption', 'red 4', `${pictureName(4)}#0`],
    );
    const byId = await search('--id', `${pictureName(6)}#0`, '--in', 'captions', '-k', '1');
    assert.equal(byId.hits[0]?.caption, 'red 6');
  });

  test('k beyond the corpus gives all of it', async () => {
    assert.equal((await search('red', '-k', '10000')).hits.length, COUNT);
  });

  test('--where on columns and meta, numbers and texts, before scoring: k come back whenever k match', async () => {
    for (const [where, expected] of [
      [`meta.n >= 6`, [6, 8, 10]],
      [`meta.tag = 't0'`, [0, 4, 8]],
      [`format = 'jpeg' and meta.n < 7`, [0, 6]],
      [`width = 24 and id = '${pictureName(5)}'`, [5]],
      [`width > 24`, []],
    ] as const) {
      const { hits } = await search('red', '-k', String(Math.max(1, expected.length)), '--where', where);
      assert.deepEqual(hits.map(({ id }) => id).sort(), expected.map(pictureName), where);
    }
  });

  test('--min-score leaves out what is less alike', async () => {
    const all = await search('red', '-k', '100');
    const least = all.hits[2]?.score ?? Number.NaN;
    const some = await search('red', '-k', '100', '--min-score', String(least));
    assert.deepEqual(some.hits, all.hits.slice(0, 3));
    assert.deepEqual((await search('red', '--min-score', '1.1')).hits, []);
  });

  test('without --json: a table on stdout; with no hits, nothing there and a reason on stderr', async () => {
    const ran = await vlmo(['search', 'red', '--index', index, '-k', '2']);
    assert.equal(ran.code, 0);
    assert.match(ran.stdout, /^rank {2}score .*caption\n1 .*\n2 .*\n$/);
    const none = await vlmo(['search', 'red', '--index', index, '--where', 'width > 24']);
    assert.deepEqual([none.code, none.stdout, none.stderr], [0, '', 'None of the 12 images matches.\n']);
    await put(folder, 'nothing/notes.md', '');
    await vlmoJson([
      'index',
      join(folder, 'nothing'),
      '--index',
      join(folder, 'hollow'),
      '--model',
      model,
      '--json',
    ]);
    const empty = await vlmo(['search', 'red', '--index', join(folder, 'hollow')]);
    assert.deepEqual([empty.code, empty.stdout], [0, '']);
    assert.match(empty.stderr, /holds no images yet/);
    const { lines } = await vlmoJson<Found>(['search', 'red', '--index', join(folder, 'hollow'), '--json']);
    assert.deepEqual(lines, [
      { query: 'red', hits: [], cursor: null, approximate: false, calibrated: false },
    ]);
  });

  test('1 and one line for what cannot be searched', async () => {
    const at = ['--index', index];
    await assertCannotRun(
      ['search', 'red', '--index', join(folder, 'none')],
      'STORE_NOT_FOUND',
      'none',
      'vlmo index',
    );
    await assertCannotRun(
      ['search', 'red', ...at, '--collection', 'other'],
      'COLLECTION_NOT_FOUND',
      'other',
      'default',
    );
    await assertCannotRun(['search', '--image', join(folder, 'no.png'), ...at], 'ITEM_NOT_FOUND', 'no.png');
    const text = join(pictures, 'metadata.jsonl');
    await assertCannotRun(['search', '--image', text, ...at], 'IMAGE_INVALID', text);
    await assertCannotRun(['search', '--id', 'nobody', ...at], 'SEARCH_ITEM_NOT_FOUND', 'nobody');
    await assertCannotRun(['search', 'red', ...at, '--where', 'height >'], 'FILTER_INVALID', 'height >');
    await assertCannotRun(['search', 'red', '--id', 'x', ...at], 'USAGE_INVALID');
    await assertCannotRun(['search', ' ', ...at], 'USAGE_INVALID');
    assert.equal((await vlmo(['search', 'red', ...at, '-k', '0'])).code, 1);
  });

  test('another model is refused with both names; the same one in another place is taken', async (t) => {
    const moved = join(folder, 'moved');
    await cp(model, moved, { recursive: true });
    const args = ['search', 'red', '--index', index];
    await assertCannotRun([...args, '--model', 'demo'], 'SEARCH_MODEL_MISMATCH', '"tiny"', '"demo"');
    await assertCannotRun(
      ['search', '--id', pictureName(0), '--index', index, '--model', 'demo'],
      'SEARCH_MODEL_MISMATCH',
    );
    const before = await search('red');
    await rename(model, `${model}.away`);
    t.after(() => rename(`${model}.away`, model));
    await assertCannotRun(args, 'MODEL_NOT_FOUND', model);
    assert.deepEqual(await search('red', '--model', moved), before);
    await rm(moved, { recursive: true });
  });
});
