import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { after, describe, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { type CrossEncoder, createCrossEncoder } from '#model/cross-encoder.ts';
import { openModel } from '#model/open-model.ts';
import type { MatchPicture } from '#model/picture-reader.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import type { Ranked } from '#search/ranking/ranking.ts';
import type { MatchSubject } from '#search/rerank/match-subject.ts';
import { rerank } from '#search/rerank/rerank.ts';
import { createThreadRunner } from '#workers/threads/thread-runner.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { vlmoError } from '../../model/vlmo/model-fixture.ts';
import { DEMO_MODEL, dot, drawFirstScenes, ranked, rankingOf, readPixels } from '../demo-scenes.ts';

const COUNT = 24;
/** exp(logit_scale) of the bundled model. */
const SCALE = Math.exp(3.916015625);
const LIMITS = { mode: 'reference', maxPixels: 1e8, maxImageBytes: 1e8 } as const;

/** What the sum of log-odds and scaled cosine must be, pair by pair. */
interface Expected {
  readonly score: number;
  readonly match: number;
}

describe('rerank by the bundled model', async () => {
  const scenes = await drawFirstScenes(await temporaryFolder({ after }), COUNT);
  const vlmo = await loadVlmo(DEMO_MODEL, { graphs: ['image', 'text', 'fusion'] });
  after(() => vlmo[Symbol.asyncDispose]());
  const runner = createThreadRunner(await openModel(DEMO_MODEL), {
    ...LIMITS,
    preprocess: 'reference',
    provider: 'cpu',
  });
  after(() => runner[Symbol.asyncDispose]());
  const crossEncoder = await createCrossEncoder(runner);
  const pixels = await Promise.all(scenes.map(({ path }) => readPixels(vlmo, path)));
  const images = await Promise.all(pixels.map(async (some) => (await vlmo.embedImages(some)).data));
  const texts = await Promise.all(scenes.map(async ({ caption }) => (await vlmo.embedTexts([caption])).data));

  /** One pair alone, by `vlmo.match` and by hand. */
  const pair = async (picture: number, text: number): Promise<Expected> => {
    const some = pixels[picture] ?? assert.fail();
    const { logits, probabilities } = await vlmo.match(some, [scenes[text]?.caption ?? '']);
    const [no = Number.NaN, yes = Number.NaN] = logits;
    return { score: yes - no + SCALE * cosine(picture, text), match: probabilities[0] ?? Number.NaN };
  };
  const cosine = (picture: number, text: number): number =>
    dot(images[picture] ?? assert.fail(), texts[text] ?? assert.fail());

  test('a text: pictures in the order of log-odds + 50.20 cosine, as pair by pair', async () => {
    let [byCosine, byBoth] = [0, 0];
    // The first is right by cosine, the other three are not.
    for (const text of [0, 7, 12, 23]) {
      const rows = scenes.map(({ path }, i) => ranked('image', `s${i}`, cosine(i, text), path));
      const found = await rerank(rankingOf(rows), {
        crossEncoder,
        subject: { kind: 'text', text: scenes[text]?.caption ?? '' },
        first: COUNT,
      })(COUNT);
      const expected = await Promise.all(scenes.map((_, i) => pair(i, text)));
      assertOrder(found, expected);
      byCosine += Number((await rankingOf(rows)(1))[0]?.id === `s${text}`);
      byBoth += Number(found[0]?.id === `s${text}`);
      assert.notDeepEqual(idsOf(found), idsOf(await rankingOf(rows)(COUNT)));
    }
    assert.deepEqual([byCosine, byBoth], [1, 4]);
  });

  test('a picture: captions in the order of log-odds + 50.20 cosine, as pair by pair', async () => {
    for (const [picture, given] of [
      [4, scenes[4]?.path],
      [8, scenes[8]?.path],
    ] as const) {
      const rows = scenes.map(({ caption }, i) => ranked('caption', `s${i}`, cosine(picture, i), caption));
      const subject = { kind: 'image', picture: given ?? assert.fail() } as const;
      const found = await rerank(rankingOf(rows), { crossEncoder, subject, first: COUNT })(COUNT);
      assertOrder(found, await Promise.all(scenes.map((_, i) => pair(picture, i))));
      assert.notDeepEqual(idsOf(found), idsOf(await rankingOf(rows)(COUNT)));
    }
  });

  test('pictures that cannot be read any more come last, with their reasons; the others as without them', async (t) => {
    const gone = await drawFirstScenes(await temporaryFolder(t), 12);
    await rm(gone[2]?.path ?? '');
    await rm(gone[9]?.path ?? '');
    await writeFile(gone[4]?.path ?? '', 'no picture');
    const rows = gone.map(({ path }, i) => ranked('image', `s${i}`, cosine(i, 0), path));
    const subject = { kind: 'text', text: scenes[0]?.caption ?? '' } as const;
    const warnings = new Map<string, VlmoError>();
    const warn = ({ id }: Ranked, reason: VlmoError) => warnings.set(id, reason);
    const found = await rerank(rankingOf(rows), { crossEncoder, subject, first: 12, warn })(12);
    const whole = scenes.slice(0, 12).map(({ path }, i) => ranked('image', `s${i}`, cosine(i, 0), path));
    const expected = await rerank(rankingOf(whole), { crossEncoder, subject, first: 12 })(12);
    const lost = ['s2', 's4', 's9'];
    const byCosine = rows.toSorted((a, b) => b.cosine - a.cosine).map(({ id }) => id);
    assert.deepEqual(idsOf(found), [
      ...idsOf(expected).filter((id) => !lost.includes(id)),
      ...byCosine.filter((id) => lost.includes(id)),
    ]);
    for (const { id, match } of found) assert.equal(match === null, lost.includes(id), id);
    assert.deepEqual(
      ['s2', 's4', 's9'].map((id) => warnings.get(id)?.code),
      ['ITEM_NOT_FOUND', 'IMAGE_INVALID', 'ITEM_NOT_FOUND'],
    );
    assert.ok(warnings.get('s4')?.message.includes(gone[4]?.path ?? '?'));
    assert.equal(warnings.size, 3);
  });
});

function assertOrder(found: readonly Ranked[], expected: readonly Expected[]): void {
  const order = [...expected.keys()].sort((a, b) => (expected[b]?.score ?? 0) - (expected[a]?.score ?? 0));
  assert.deepEqual(
    idsOf(found),
    order.map((i) => `s${i}`),
  );
  for (const { id, score, match } of found) {
    const own = expected[Number(id.slice(1))] ?? assert.fail();
    assert.ok(Math.abs(score - own.score) < 1e-3, `${id}: ${score}, expected ${own.score}`);
    assert.ok(Math.abs((match ?? Number.NaN) - own.match) < 1e-4, `${id}: ${match}, expected ${own.match}`);
  }
}

function idsOf(rows: readonly Ranked[]): string[] {
  return rows.map(({ id }) => id);
}

function placeOf(picture: MatchPicture): string {
  return typeof picture === 'object' && 'uri' in picture ? picture.uri : String(picture);
}

describe('rerank', () => {
  const TEXT: MatchSubject = { kind: 'text', text: 'a cat' };
  const CATS = ['a', 'b', 'c', 'd'].map((id, i) => ranked('image', id, 0.9 - 0.1 * i, id));

  /** Knows the log-odds of pictures and captions by their content. */
  function fakeMatcher(odds: Readonly<Record<string, number | VlmoError>>, scale = 10) {
    const calls: (readonly string[])[] = [];
    const look = (keys: readonly string[]) => {
      calls.push(keys);
      return keys.map((key) => odds[key] ?? assert.fail(key));
    };
    const crossEncoder: CrossEncoder = {
      score: ({ apart, together }, cosine) => together - apart + scale * cosine,
      ...{ threads: 1, fingerprint: undefined },
      match: async (pictures, texts) =>
        look(texts.length === 1 ? pictures.map(placeOf) : texts).map((found) =>
          found instanceof VlmoError ? found : { apart: 1, together: 1 + found },
        ),
    };
    return { crossEncoder, calls };
  }

  test('only the first N are read, once, and nothing else is there', async () => {
    const { crossEncoder, calls } = fakeMatcher({ a: 0, b: 5, c: -2 });
    const ranking = rerank(rankingOf(CATS), { crossEncoder, subject: TEXT, first: 3 });
    assert.deepEqual(idsOf(await ranking(2)), ['b', 'a']);
    assert.deepEqual(idsOf(await ranking(100)), ['b', 'a', 'c']);
    assert.deepEqual(calls, [['a', 'b', 'c']]);
    const [first] = await ranking(1);
    assert.deepEqual([first?.score, first?.cosine], [5 + 10 * 0.8, 0.8]);
    assert.ok(Math.abs((first?.match ?? 0) - 1 / (1 + Math.exp(-5))) < 1e-12);
  });

  test('equal scores follow their ids', async () => {
    const rows = ['z', 'y', 'x'].map((id) => ranked('image', id, 0.5, id));
    const { crossEncoder } = fakeMatcher({ x: 1, y: 1, z: 1 });
    assert.deepEqual(idsOf(await rerank(rankingOf(rows), { crossEncoder, subject: TEXT, first: 3 })(3)), [
      'x',
      'y',
      'z',
    ]);
  });

  test('what is below the least match is left out, and what could not be read', async () => {
    const lost = new VlmoError('ITEM_NOT_FOUND', 'Cannot read it');
    const { crossEncoder } = fakeMatcher({ a: -0.1, b: lost, c: 0, d: 3 });
    const warned: string[] = [];
    const options = { crossEncoder, subject: TEXT, first: 4, warn: ({ id }: Ranked) => warned.push(id) };
    assert.deepEqual(idsOf(await rerank(rankingOf(CATS), { ...options, minMatch: 0.5 })(4)), ['d', 'c']);
    assert.deepEqual(warned, ['b']);
    assert.deepEqual(idsOf(await rerank(rankingOf(CATS), { ...options, minMatch: 1 })(4)), []);
    assert.deepEqual(idsOf(await rerank(rankingOf(CATS), options)(4)), ['d', 'a', 'c', 'b']);
  });

  test('where no picture can be read, the order is by cosine', async () => {
    const lost = new VlmoError('ITEM_NOT_FOUND', 'Cannot read it');
    const { crossEncoder } = fakeMatcher({ a: lost, b: lost, c: lost, d: lost });
    const found = await rerank(rankingOf(CATS), { crossEncoder, subject: TEXT, first: 4 })(4);
    assert.deepEqual(idsOf(found), ['a', 'b', 'c', 'd']);
    assert.ok(found.every(({ score, match }) => Number.isFinite(score) && match === null));
  });

  test('a text with captions and a picture with pictures are refused before anything is read', async () => {
    const { crossEncoder, calls } = fakeMatcher({});
    const captions = rankingOf([ranked('caption', 'a', 1, 'a cat')]);
    await assert.rejects(
      rerank(captions, { crossEncoder, subject: TEXT, first: 1 })(1),
      vlmoError('USAGE_INVALID', 'Cannot re-rank captions: expected a picture', 'received text alone'),
    );
    const subject = { kind: 'image', picture: 'cat.png' } as const;
    await assert.rejects(
      rerank(rankingOf(CATS), { crossEncoder, subject, first: 1 })(1),
      vlmoError('USAGE_INVALID', 'Cannot re-rank images: expected one text', 'received a picture alone'),
    );
    assert.deepEqual(calls, []);
  });

  test('nothing found is nothing, and the model is not asked', async () => {
    const { crossEncoder, calls } = fakeMatcher({});
    assert.deepEqual(await rerank(rankingOf([]), { crossEncoder, subject: TEXT, first: 5 })(5), []);
    assert.deepEqual(calls, []);
  });

  test('after an error the model is asked again', async () => {
    const { crossEncoder } = fakeMatcher({ a: 1, b: 2, c: 3, d: 4 });
    let failing = true;
    const flaky: CrossEncoder = {
      ...crossEncoder,
      match: (pictures, texts) =>
        failing ? Promise.reject(new Error('the thread died')) : crossEncoder.match(pictures, texts),
    };
    const ranking = rerank(rankingOf(CATS), { crossEncoder: flaky, subject: TEXT, first: 4 });
    await assert.rejects(ranking(1), /the thread died/);
    failing = false;
    assert.equal((await ranking(4)).length, 4);
  });
});
