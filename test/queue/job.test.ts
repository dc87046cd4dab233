import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { chunkJobId, parseChunkJob, parseQueryJob } from '#queue/job.ts';

const IMAGE = { kind: 'image', id: 'a', uri: '/a.jpg' };
const CAPTION = { kind: 'caption', id: 'a#0', imageId: 'a', uri: '/a.jpg', caption: '' };
const BROKEN = { kind: 'broken', id: 'b', uri: '/b', error: { code: 'SOURCE_ROW_INVALID', message: 'm' } };
const KINDS = "'image' | 'caption' | 'broken'";
const LONG = 'x'.repeat(5000);

/** Holds that it is refused with this field, what was expected, and what was received. */
function assertRefused(parse: (data: unknown) => unknown, data: unknown, ...said: readonly string[]): void {
  assert.throws(
    () => parse(data),
    (error: VlmoError) => {
      assert.ok(error instanceof VlmoError);
      assert.equal(error.code, 'JOB_INVALID');
      const [field, expected, received] = said;
      const message = `Cannot take job: expected ${field} to be right (${expected}), received ${received}`;
      assert.equal(error.message, message);
      return true;
    },
  );
}

describe('parseChunkJob', () => {
  test('what may be left out has its default', () => {
    assert.deepEqual(parseChunkJob({ items: [IMAGE, CAPTION, BROKEN] }), {
      collection: 'default',
      items: [{ ...IMAGE, meta: {} }, { ...CAPTION, meta: {} }, BROKEN],
    });
  });

  test('everything that may be said is kept', () => {
    const job = {
      ...{ run: 'r', collection: 'c-1_D', generation: 'g', retryFailed: true, attempt: 2 },
      tally: { stored: 1, skipped: 0, failed: 2 },
      items: [
        { ...IMAGE, meta: { year: 2020, tags: ['x'], deep: { a: null } } },
        { ...CAPTION, imageId: null, meta: {} },
      ],
    };
    assert.deepEqual(parseChunkJob(JSON.parse(JSON.stringify(job))), job);
  });

  test('1 to 4096 items are taken', () => {
    assert.equal(parseChunkJob({ items: Array(4096).fill(IMAGE) }).items.length, 4096);
  });

  for (const [data, ...said] of [
    [null, 'its data', 'object', 'null'],
    [undefined, 'its data', 'object', 'nothing'],
    [[], 'its data', 'object', '[]'],
    ['{"items":[]}', 'its data', 'object', '"{\\"items\\":[]}"'],
    [{}, '"items"', 'array', 'nothing'],
    [{ items: {} }, '"items"', 'array', '{}'],
    [{ items: [] }, '"items"', 'array to have >=1 items', '[]'],
    [{ items: [null] }, '"items.0"', 'object', 'null'],
    [{ items: [IMAGE, { ...IMAGE, kind: 'video' }] }, '"items.1.kind"', KINDS, '"video"'],
    [{ items: [{ id: 'a', uri: '/a' }] }, '"items.0.kind"', KINDS, 'nothing'],
    [{ items: [{ ...IMAGE, uri: undefined }] }, '"items.0.uri"', 'string', 'nothing'],
    [{ items: [{ ...IMAGE, id: 7 }] }, '"items.0.id"', 'string', '7'],
    [{ items: [{ ...IMAGE, id: '' }] }, '"items.0.id"', 'string to have >=1 characters', '""'],
    [{ items: [{ ...IMAGE, meta: [] }] }, '"items.0.meta"', 'record', '[]'],
    [{ items: [{ ...CAPTION, imageId: undefined }] }, '"items.0.imageId"', 'string', 'nothing'],
    [{ items: [IMAGE], collection: 'a b' }, '"collection"', '1 to 64 letters, digits, "_" or "-"', '"a b"'],
    [{ items: [IMAGE], attempt: 0 }, '"attempt"', 'number to be >=1', '0'],
    [{ items: [IMAGE], attempt: 1.5 }, '"attempt"', 'int', '1.5'],
    [{ items: [IMAGE], retryFailed: 'yes' }, '"retryFailed"', 'boolean', '"yes"'],
    [{ items: [IMAGE], tally: { stored: 1, skipped: 1 } }, '"tally.failed"', 'number', 'nothing'],
    [{ items: [IMAGE], colection: 'x' }, '"colection"', 'left out: there is no such field', '"x"'],
    [{ items: [{ ...IMAGE, size: 1 }] }, '"items.0.size"', 'left out: there is no such field', '1'],
    [
      { items: [{ ...BROKEN, error: { ...BROKEN.error, stack: [] } }] },
      ...['"items.0.error.stack"', 'left out: there is no such field', '[]'],
    ],
  ] as const) {
    test(`${JSON.stringify(data)} is refused by field, expected and received`, () => {
      assertRefused(parseChunkJob, data, ...said);
    });
  }

  test('what is nested too deep to be sent on is refused', () => {
    const nested = (depth: number): object =>
      JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`) as object;
    assert.ok(parseChunkJob({ items: [{ ...IMAGE, meta: nested(100) }] }));
    for (const depth of [101, 3000, 100_000])
      assert.throws(() => parseChunkJob({ items: [{ ...IMAGE, meta: nested(depth) }] }), {
        code: 'JOB_INVALID',
        message: /"items\.0\.meta" to be right \(values nested at most 100 deep\)/,
      });
  });

  test('what is long is cut in the message', () => {
    const cut = `"${'x'.repeat(119)}…`;
    const items = [{ ...IMAGE, id: LONG }];
    assertRefused(parseChunkJob, { items }, '"items.0.id"', 'string to have <=4096 characters', cut);
    const many = { items: Array(4097).fill(IMAGE) };
    assert.throws(() => parseChunkJob(many), /"items".*array to have <=4096 items.*…$/s);
    const error = { ...BROKEN.error, code: 'UNKNOWN' };
    const unknown = { items: [{ ...BROKEN, error }] };
    assert.throws(
      () => parseChunkJob(unknown),
      ({ message }: Error) => /"items\.0\.error\.code".*"UNKNOWN"$/.test(message) && message.length < 250,
    );
  });
});

describe('parseQueryJob', () => {
  test('what may be left out has its default', () => {
    const search = { kind: 'search', collection: 'default', in: 'images', k: 10, text: 'a' };
    assert.deepEqual(parseQueryJob({ kind: 'search', text: 'a' }), search);
    const embed = { kind: 'embed', collection: 'default', texts: ['a'] };
    assert.deepEqual(parseQueryJob({ kind: 'embed', texts: ['a'] }), embed);
  });

  test('everything that may be said is kept', () => {
    const more = { in: 'captions', k: 3, where: 'width > 1', minScore: 0.5, timeoutMs: 9 };
    const search = { kind: 'search', collection: 'c', id: 'x', ...more };
    assert.deepEqual(parseQueryJob(search), search);
    const texts = [
      { text: 'a', weight: 1 },
      { text: 'b', weight: -0.5 },
    ];
    const { id: _, ...rest } = search;
    const weighed = { ...rest, texts, image: '/a.jpg', imageWeight: 2, rerank: 9, minMatch: 0.5 };
    assert.deepEqual(parseQueryJob(weighed), weighed);
    const embed = { kind: 'embed', collection: 'c', image: '/a.jpg', timeoutMs: 600_000 };
    assert.deepEqual(parseQueryJob(embed), embed);
  });

  const BY_WHAT = 'a text or texts, an image, keys, or several of them; or an id; or a key; or a vector';
  for (const [data, ...said] of [
    [{}, '"kind"', "'search' | 'embed'", 'nothing'],
    [{ kind: 'search' }, 'its data', BY_WHAT, '{"kind":"search"}'],
    [
      { kind: 'search', text: 'a', id: 'b' },
      ...['its data', BY_WHAT, '{"kind":"search","text":"a","id":"b"}'],
    ],
    [
      { kind: 'search', text: 'a', texts: [{ text: 'b' }] },
      ...['its data', BY_WHAT, '{"kind":"search","text":"a","texts":[{"text":"b"}]}'],
    ],
    [
      { kind: 'search', text: 'a', imageWeight: 2 },
      ...['its data', 'an image beside imageWeight', '{"kind":"search","text":"a","imageWeight":2}'],
    ],
    [
      { kind: 'search', text: 'a', minMatch: 1 },
      ...['its data', 'rerank beside minMatch', '{"kind":"search","text":"a","minMatch":1}'],
    ],
    [{ kind: 'search', text: '' }, '"text"', 'string to have >=1 characters', '""'],
    [{ kind: 'search', text: 'a', k: 0 }, '"k"', 'number to be >=1', '0'],
    [{ kind: 'search', text: 'a', k: 100_001 }, '"k"', 'number to be <=100000', '100001'],
    [{ kind: 'search', text: 'a', in: 'x' }, '"in"', 'one of "images"|"captions"', '"x"'],
    [{ kind: 'search', text: 'a', limit: 3 }, '"limit"', 'left out: there is no such field', '3'],
    [{ kind: 'embed' }, 'its data', 'exactly one of texts and image', '{"kind":"embed"}'],
    [{ kind: 'embed', texts: [] }, '"texts"', 'array to have >=1 items', '[]'],
    [{ kind: 'embed', texts: ['a', ''] }, '"texts.1"', 'string to have >=1 characters', '""'],
    [{ kind: 'embed', image: 'a', timeoutMs: 600_001 }, '"timeoutMs"', 'number to be <=600000', '600001'],
  ] as const) {
    test(`${JSON.stringify(data)} is refused by field, expected and received`, () => {
      assertRefused(parseQueryJob, data, ...said);
    });
  }
});

describe('chunkJobId', () => {
  test('the same content has the same id, now and in later versions', () => {
    assert.equal(chunkJobId('{"items":[]}'), 'eef46741adfc3a9f76294d3b78f37a45');
  });

  test('ids of many contents are all different, and 32 hex digits', () => {
    const ids = new Set(Array.from({ length: 1000 }, (_, i) => chunkJobId(JSON.stringify({ i }))));
    assert.equal(ids.size, 1000);
    for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
  });
});
