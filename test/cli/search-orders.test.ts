import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Hit, SearchAnswer } from '#search/request.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import { assertCannotRun, type Ran, vlmo, vlmoJson } from './cli-fixture.ts';

type Found = SearchAnswer & { readonly query: string };

const COUNT = 12;
const folder = await temporaryFolder({ after });
const index = join(folder, 'index');
const pictures = join(folder, 'pictures');
const AT = ['--index', index];

/** Twelve pictures with two captions each; the fifth alone has a violin. */
before(async () => {
  const model = await importTiny(folder);
  await drawPictures(pictures, 0, COUNT);
  const lines = Array.from({ length: COUNT }, (_, n) =>
    JSON.stringify({
      image: pictureName(n),
      captions: [`red ${n}`, n === 5 ? 'Two violins' : `thing ${n}`],
      n,
    }),
  );
  await put(pictures, 'list.jsonl', lines.join('\n'));
  await vlmoJson(['index', join(pictures, 'list.jsonl'), ...AT, '--model', model, '--json']);
});

async function search(...args: string[]): Promise<Found> {
  const { lines } = await vlmoJson<Found>(['search', ...AT, '--json', ...args]);
  return lines[0] ?? assert.fail();
}

const idsOf = (hits: readonly Hit[]): string[] => hits.map(({ id }) => id);

describe('vlmo search, page by page', () => {
  test('--cursor: the pages put together are the whole; the last one has none', async () => {
    const all = await search('red', '-k', '100');
    assert.equal(all.cursor, null);
    const first = await search('red', '-k', '5');
    const second = await search('red', '-k', '5', '--cursor', first.cursor ?? '');
    const third = await search('red', '-k', '5', '--cursor', second.cursor ?? '');
    assert.deepEqual([...first.hits, ...second.hits, ...third.hits], all.hits);
    assert.equal(third.cursor, null);
  });

  test('without --json, the command of the next page can be pasted into a shell', async () => {
    const text = `it's "red" $HOME`;
    const seen: string[] = [];
    let ran: Ran = await vlmo(['search', text, ...AT, '-k', '5']);
    for (let page = 1; page <= 3; page++) {
      assert.equal(ran.code, 0, ran.stderr);
      seen.push(...ran.stdout.trimEnd().split('\n').slice(1));
      const command = /^Next page: vlmo (.+)\n$/.exec(ran.stderr)?.[1];
      if (page === 3) assert.deepEqual([command, ran.stderr], [undefined, '']);
      else ran = await inShell(command ?? assert.fail(ran.stderr));
    }
    const { hits } = await search(text, '-k', '100');
    assert.deepEqual(
      seen.map((line) => line.split(/ +/).slice(0, 3)),
      hits.map(({ rank, score, id }) => [String(rank), score.toFixed(3), id]),
    );
  });

  test('a cursor of another search, or cut off, is refused', async () => {
    const { cursor } = await search('red', '-k', '5');
    const own = cursor ?? assert.fail();
    await assertCannotRun(['search', 'blue', ...AT, '--cursor', own], 'CURSOR_INVALID');
    await assertCannotRun(
      ['search', 'red', ...AT, '--where', 'width > 0', '--cursor', own],
      'CURSOR_INVALID',
    );
    await assertCannotRun(['search', 'red', ...AT, '--cursor', own.slice(0, 50)], 'CURSOR_INVALID');
    await assertCannotRun(['search', 'red', ...AT, '--cursor', "'; DROP"], 'CURSOR_INVALID', 'DROP');
  });
});

/** Runs what a user would paste, with this program in place of the one on the path. */
async function inShell(args: string): Promise<Ran> {
  const script = `"${process.execPath}" "${fixture('../../bin/vlmo.js')}" ${args}`;
  const { stdout, stderr } = await promisify(execFile)('/bin/sh', ['-c', script]);
  return { code: 0, signal: null, stdout, stderr };
}

describe('vlmo search, in another order', () => {
  test('--group-by image_id: every picture once, by the best of its captions', async () => {
    const all = await search('red 3', '--in', 'captions', '-k', '100');
    assert.equal(all.hits.length, 2 * COUNT);
    const best = new Map(all.hits.toReversed().map((hit) => [hit.id.split('#')[0] ?? '', hit]));
    const grouped = await search('red 3', '--in', 'captions', '-k', '100', '--group-by', 'image_id');
    const expected = [...best.values()].sort((a, b) => a.rank - b.rank);
    assert.deepEqual(idsOf(grouped.hits), idsOf(expected));
    assert.equal(grouped.hits.length, COUNT);
    assert.equal((await vlmo(['search', 'red', ...AT, '--group-by', 'width'])).code, 1);
  });

  test('--keywords and --hybrid lift what has captions with the words, of pictures and of captions', async () => {
    const plain = await search('red', '-k', '100');
    const lifted = await search('red', '-k', '100', '--keywords', 'violin');
    for (const { id, cosine, score } of lifted.hits) {
      assert.equal(cosine, plain.hits.find((hit) => hit.id === id)?.cosine);
      assert.ok(Math.abs(score - cosine - (id === pictureName(5) ? 0.5 : 0)) < 1e-9, id);
    }
    assert.equal(lifted.hits[0]?.id, pictureName(5));
    const hybrid = await search('a violin', '-k', '1', '--hybrid', '--in', 'captions');
    assert.deepEqual([hybrid.hits[0]?.caption, hybrid.hits.length], ['Two violins', 1]);
    const filtered = await search('violin', '--hybrid', '--where', 'meta.n < 5', '-k', '5');
    assert.equal(filtered.hits.length, 5);
    assert.ok(filtered.hits.every(({ score, cosine }) => score === cosine));
    const { stdout } = await vlmo(['search', 'violin', '--hybrid', ...AT, '-k', '1']);
    assert.match(stdout, /^rank {2}score {2}cosine {2}id +caption\n1 /);
    await assertCannotRun(
      ['search', '--id', pictureName(1), '--hybrid', ...AT],
      'USAGE_INVALID',
      '--keywords',
    );
  });

  test('weighted and negative parts: cosines in the order of the weighted sum of those of the parts', async () => {
    const [red, thing] = [await search('red 3', '-k', '100'), await search('thing 7', '-k', '100')];
    const cosine = ({ hits }: Found, id: string) => hits.find((hit) => hit.id === id)?.cosine ?? Number.NaN;
    const sum = (id: string) => 2 * cosine(red, id) - 0.5 * cosine(thing, id);
    const { hits, query } = await search('"red 3"^2 -"thing 7"^0.5', '-k', '100');
    assert.equal(query, '"red 3"^2 -"thing 7"^0.5');
    const [first, last] = [hits[0] ?? assert.fail(), hits.at(-1) ?? assert.fail()];
    const ratio = (first.score - last.score) / (sum(first.id) - sum(last.id));
    for (const { id, score } of hits) {
      assert.ok(Math.abs(score - first.score - ratio * (sum(id) - sum(first.id))) < 1e-4, id);
    }
    assert.deepEqual((await search('"red 3"', '-k', '100')).hits, red.hits, 'one part is a text');
    assert.notDeepEqual((await search('a "red 3"', '-k', '100')).hits, red.hits, 'other text stays as it is');
    await assertCannotRun(['search', '"red" -"red"', ...AT], 'QUERY_INVALID', 'cancel');
  });

  test('picture and text together, and how much the picture counts', async () => {
    const image = join(pictures, pictureName(4));
    const alone = await search('--image', image, '-k', '100');
    const text = await search('red 3', '-k', '100');
    const both = await search('red 3', '--image', image, '-k', '100');
    assert.equal(both.query, `red 3 + ${image}`);
    for (const other of [alone, text]) assert.notDeepEqual(both.hits, other.hits);
    const much = await search('red 3', '--image', image, '--image-weight', '1000', '-k', '1');
    assert.equal(much.hits[0]?.id, pictureName(4));
    const unlike = await search('red 3', '--image', image, '--image-weight', '-1000', '-k', '100');
    assert.equal(unlike.hits.at(-1)?.id, pictureName(4));
    await assertCannotRun(['search', 'red', '--image-weight', '2', ...AT], 'USAGE_INVALID', '--image');
    await assertCannotRun(['search', '--id', 'a', '--image', image, ...AT], 'USAGE_INVALID');
  });

  test('--rerank: the first N by the fusion encoder, with their matches; --min-match leaves some out', async () => {
    const cosine = await search('red 3', '-k', '6');
    const read = await search('red 3', '-k', '100', '--rerank', '6');
    assert.deepEqual(idsOf(read.hits).sort(), idsOf(cosine.hits).sort());
    assert.ok(read.hits.every(({ score }, i) => score <= (read.hits[i - 1]?.score ?? Infinity)));
    const matches = read.hits.map(({ match }) => match ?? assert.fail());
    assert.ok(matches.every((match) => match >= 0 && match <= 1));
    const middle = matches.toSorted((a, b) => a - b)[3] ?? assert.fail();
    const some = await search('red 3', '-k', '100', '--rerank', '6', '--min-match', String(middle - 1e-6));
    assert.deepEqual(idsOf(some.hits), idsOf(read.hits.filter(({ match }) => (match ?? 0) >= middle)));
    const first = await search('red 3', '-k', '4', '--rerank', '6');
    const second = await search('red 3', '-k', '4', '--rerank', '6', '--cursor', first.cursor ?? '');
    assert.deepEqual(idsOf([...first.hits, ...second.hits]), idsOf(read.hits));
    const { stdout } = await vlmo(['search', 'red 3', ...AT, '--rerank', '2']);
    assert.match(stdout, /^rank {2}score +cosine {2}raw match {2}id +caption\n1 /);
    const captions = await search(
      '--image',
      join(pictures, pictureName(3)),
      '--in',
      'captions',
      '--rerank',
      '3',
    );
    assert.equal(captions.hits.filter(({ match }) => match !== null).length, 3);
    await assertCannotRun(['search', 'red', '--min-match', '0.5', ...AT], 'USAGE_INVALID', '--rerank');
    await assertCannotRun(['search', 'red', '--in', 'captions', '--rerank', '3', ...AT], 'USAGE_INVALID');
    assert.equal((await vlmo(['search', 'red', ...AT, '--rerank', '3', '--min-match', '2'])).code, 1);
  });

  test('--approximate without an index is refused, with the command that builds one', async () => {
    await assertCannotRun(
      ['search', 'red', ...AT, '--approximate'],
      'ANN_INDEX_MISSING',
      'vlmo optimize --ann',
    );
    assert.equal((await search('red', '-k', '1')).approximate, false);
  });

  test('--device: one that is named and is not there is refused; the CPU always is', async () => {
    const byDefault = await search('red 3', '-k', '3');
    assert.deepEqual(await search('red 3', '-k', '3', '--device', 'cpu'), byDefault);
    await assertCannotRun(['search', 'red', ...AT, '--device', 'abacus'], 'CONFIG_INVALID', 'abacus');
    for (const flag of ['--device', '--model'])
      await assertCannotRun(['search', 'red', ...AT, flag, 'cpu', '--queued'], 'USAGE_INVALID', '--queued');
  });

  test('the limits of a request hold', async () => {
    await assertCannotRun(['search', 'red', ...AT, '-k', '100001'], 'REQUEST_INVALID', '"k"');
    await assertCannotRun(['search', 'red', ...AT, '--rerank', '1001'], 'REQUEST_INVALID', '"rerank"');
  });
});
