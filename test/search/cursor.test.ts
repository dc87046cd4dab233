import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Cursor, digestOf, queryIn, readCursor, writeCursor } from '#search/cursor.ts';
import type { SearchOrder } from '#search/request.ts';
import { search } from '#search/search.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { queryVector, randomCorpus } from './corpus.ts';

const ASKED = digestOf(Float32Array.of(1, 0), ['search']);
const CURSOR: Cursor = { position: { score: 0.1 + 0.2, id: 'a#1', source: 's' }, before: 10 };
const REFUSED = vlmoError('CURSOR_INVALID', 'cursor');

describe('readCursor', () => {
  test('gives back what was written, to the last bit and for any id', () => {
    for (const id of ['', "it's", '\ud800 lone', '\0', '😀', 'x'.repeat(70_000)]) {
      const position = { score: -0.123_456_789_012_345_66, id, source: id };
      const cursor: Cursor = {
        position,
        before: 1,
        weights: [0.25, 0.75],
        pool: position,
        shown: ['12345678'],
      };
      const text = writeCursor(cursor, ASKED);
      assert.match(text, /^[\w-]+$/);
      assert.deepEqual(readCursor(text, ASKED), cursor);
    }
  });

  test('refuses one that is cut off at any place, or longer', () => {
    const text = writeCursor(CURSOR, ASKED);
    for (let end = 0; end < text.length; end++) {
      assert.throws(() => readCursor(text.slice(0, end), ASKED), REFUSED, String(end));
    }
    assert.throws(() => readCursor(`${text}A`, ASKED), REFUSED);
    assert.throws(() => readCursor(` ${text}`, ASKED), REFUSED);
  });

  test('refuses one of which any letter was changed', () => {
    const text = writeCursor(CURSOR, ASKED);
    for (let at = 0; at < text.length; at++) {
      const changed = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      assert.throws(() => readCursor(changed, ASKED), REFUSED, String(at));
    }
  });

  test('gives back the vector that was written, and refuses one of which a letter was changed', () => {
    const query = Float32Array.of(0.1, -0.7, 1e-30);
    const text = writeCursor({ ...CURSOR, query }, ASKED);
    assert.deepEqual(queryIn(text, 3), query);
    assert.equal(queryIn(text, 2), undefined);
    assert.equal(queryIn(writeCursor(CURSOR, ASKED), 3), undefined);
    assert.deepEqual(readCursor(text, ASKED), CURSOR);
    for (let at = 0; at < text.length; at++) {
      const changed = text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
      assert.throws(() => readCursor(changed, ASKED), REFUSED, String(at));
    }
  });

  test('refuses one that was asked for with something else', () => {
    const text = writeCursor(CURSOR, ASKED);
    for (const other of [
      digestOf(Float32Array.of(1, 2 ** -149), ['search']),
      digestOf(Float32Array.of(1, 0), ['search', 1]),
    ]) {
      assert.throws(() => readCursor(text, other), REFUSED);
    }
  });

  test('refuses what was sealed rightly and is no cursor', () => {
    const position = { score: 1, id: 'a' };
    for (const forged of [
      {},
      [],
      { ...CURSOR, position: { score: null, id: 'a' } },
      { ...CURSOR, position: { score: 1, id: 7 } },
      { ...CURSOR, before: -1 },
      { ...CURSOR, before: 1e300 },
      { ...CURSOR, weights: [2] },
      { ...CURSOR, weights: 'a' },
      { ...CURSOR, pool: { score: 1 } },
      { ...CURSOR, shown: ['short'] },
      { position, before: 1, more: 1 },
    ]) {
      assert.throws(() => readCursor(writeCursor(forged as Cursor, ASKED), ASKED), REFUSED);
    }
  });
});

describe('search with a cursor', () => {
  test('is refused for anything but the same search', async (t) => {
    const corpus = await randomCorpus(t, 40);
    const query = queryVector(corpus);
    const { cursor } = await search(corpus.tables, query, { in: 'captions', k: 3, keywords: 'red dog' });
    assert.ok(cursor);
    const same: SearchOrder = { in: 'captions', k: 5, keywords: 'red dog', cursor };
    assert.equal((await search(corpus.tables, query, same)).hits[0]?.rank, 4);
    const others: SearchOrder[] = [
      { ...same, in: 'images' },
      { ...same, keywords: 'red' },
      { ...same, keywords: undefined },
      { ...same, where: 'meta.n < 5' },
      { ...same, minScore: 0 },
      { ...same, groupBy: 'image_id' },
      { ...same, rerank: 5 },
      { ...same, approximate: true },
      { ...same, cursor: '' },
      { ...same, cursor: 'x'.repeat(100_000) },
      { ...same, cursor: cursor.slice(0, -1) },
    ];
    for (const other of others) {
      const refused = search(corpus.tables, query, other, { rerank: (ranking) => ranking });
      await assert.rejects(refused, REFUSED, JSON.stringify(other).slice(0, 200));
    }
    await assert.rejects(search(corpus.tables, queryVector(corpus), same), REFUSED, 'another vector');
  });

  test('holds the vector where it was embedded beside others: every page is of that one', async (t) => {
    const corpus = await randomCorpus(t, 60);
    const vector = queryVector(corpus);
    const whole = await search(corpus.tables, vector, { in: 'images', k: 100 });
    let runs = 0;
    // As a batch does: the same text, other last digits.
    const embed = async (): Promise<Float32Array> => {
      const factor = 1 + 1e-6 * runs++;
      return vector.map((value) => value * factor);
    };
    const ids: string[] = [];
    let cursor: string | null | undefined;
    for (; cursor !== null; ) {
      const request = { in: 'images', k: 7, text: 'red', cursor } as const;
      const page = await search(corpus.tables, embed, request, { sharesRuns: true });
      ids.push(...page.hits.map(({ id }) => id));
      if (page.cursor !== null) assert.deepEqual(queryIn(page.cursor, vector.length), vector);
      ({ cursor } = page);
    }
    assert.deepEqual(
      ids,
      whole.hits.map(({ id }) => id),
    );
    assert.equal(runs, 1, 'later pages need no model');
    const first = await search(
      corpus.tables,
      embed,
      { in: 'images', k: 7, text: 'red' },
      { sharesRuns: true },
    );
    const same = { in: 'images', k: 7, text: 'red', cursor: first.cursor ?? '' } as const;
    for (const other of [
      { ...same, text: 'blue' },
      { ...same, text: undefined, texts: [{ text: 'red', weight: 2 }] },
      { ...same, image: '/a.jpg' },
      { ...same, keys: [{ key: 'a'.repeat(22), weight: 1 }] },
      { ...same, where: 'width > 1' },
    ])
      await assert.rejects(search(corpus.tables, embed, other), REFUSED, JSON.stringify(other).slice(0, 99));
  });

  test('without a vector, the query is embedded alone again', async (t) => {
    const corpus = await randomCorpus(t, 30);
    const vector = queryVector(corpus);
    const alone: boolean[] = [];
    const embed = async (isAlone: boolean): Promise<Float32Array> => {
      alone.push(isAlone);
      return vector;
    };
    const { cursor } = await search(corpus.tables, embed, { in: 'images', k: 7, text: 'red' });
    assert.equal(queryIn(cursor ?? '', vector.length), undefined);
    const next = { in: 'images', k: 7, text: 'red', cursor: cursor ?? '' } as const;
    const { hits, cursor: third } = await search(corpus.tables, embed, next, { sharesRuns: true });
    assert.equal(hits[0]?.rank, 8);
    assert.equal(queryIn(third ?? '', vector.length), undefined, 'what began short stays short');
    assert.deepEqual(alone, [false, true]);
  });
});
