import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { resolveDevice } from '#devices/device.ts';
import { type Evaluated, evaluateSplit } from '#evaluate/evaluate.ts';
import { readSplit } from '#evaluate/read-split.ts';
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import { parseFilter } from '#search/filter/filter.ts';
import type { CaptionRecord, ImageRecord } from '#store/contract.ts';
import { readJson } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import {
  captionRow,
  closeAfter,
  generationSpec,
  imageRow,
  temporaryStore,
  unitVectors,
} from '../store/lance/store-fixture.ts';

const NEVER = new AbortController().signal;
const NO_FILTER = { images: undefined, captions: undefined };

interface Stored {
  readonly images: readonly ImageRecord[];
  readonly imageVectors: Float32Array;
  readonly captions: readonly CaptionRecord[];
  readonly captionVectors: Float32Array;
}

/** A collection in a real store, its split, and what scores it. */
async function store(t: TestContext, stored: Stored, where?: string) {
  const dimensions = stored.imageVectors.length / stored.images.length;
  const tables = await (await temporaryStore(t)).openGeneration(generationSpec({ dimensions }));
  await tables.images.upsert({ rows: stored.images, vectors: stored.imageVectors });
  await tables.captions.upsert({ rows: stored.captions, vectors: stored.captionVectors });
  const device = await resolveDevice('cpu');
  const [images, captions] = [tables.images, tables.captions].map((table) =>
    closeAfter(t, createResidentScorer<ImageRecord | CaptionRecord>(table, { device, dimensions })),
  );
  const filter =
    where === undefined
      ? NO_FILTER
      : { images: parseFilter(where, 'image'), captions: parseFilter(where, 'caption') };
  return {
    split: await readSplit(tables, filter),
    nearest: {
      images: images?.nearestIds ?? assert.fail(),
      captions: captions?.nearestIds ?? assert.fail(),
    },
  };
}

async function evaluate(t: TestContext, stored: Stored, where?: string): Promise<Evaluated> {
  const parts = await store(t, stored, where);
  return evaluateSplit({ ...parts, rerank: [], crossEncoder: assert.fail, seed: 1, signal: NEVER });
}

/** recall@1, 5, 10 both ways. */
function recalls({ orders: [order] }: Evaluated) {
  return {
    image: order?.imageRetrieval.map(({ recall }) => recall),
    text: order?.textRetrieval.map(({ recall }) => recall),
  };
}

function pictures(count: number): ImageRecord[] {
  return Array.from({ length: count }, (_, i) => imageRow(`p${i}`));
}

/** `each` captions of each picture. */
function captionsOf(count: number, each: number): CaptionRecord[] {
  return Array.from({ length: count * each }, (_, i) =>
    captionRow(`c${i}`, { imageId: `p${Math.floor(i / each)}` }),
  );
}

/** Rows of a unit matrix. */
function axes(places: readonly number[], dimensions: number): Float32Array {
  const vectors = new Float32Array(places.length * dimensions);
  places.forEach((place, row) => {
    vectors[row * dimensions + place] = 1;
  });
  return vectors;
}

interface BruteForce {
  readonly dimensions: number;
  readonly pictureOf: readonly number[];
  /** float16 bits as base64. */
  readonly images: string;
  readonly captions: string;
  readonly imageRetrieval: readonly number[];
  readonly textRetrieval: readonly number[];
}

describe('evaluateSplit', () => {
  test('agrees with a brute force of numpy over the same vectors, ties and six captions among them', async (t) => {
    const known = await readJson<BruteForce>('evaluate/brute-force.json');
    const floats = (text: string) => {
      const bytes = Buffer.from(text, 'base64');
      return Float32Array.from(
        new Float16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
      );
    };
    const images = floats(known.images);
    const found = await evaluate(t, {
      images: pictures(images.length / known.dimensions),
      imageVectors: images,
      captions: known.pictureOf.map((picture, i) => captionRow(`c${i}`, { imageId: `p${picture}` })),
      captionVectors: floats(known.captions),
    });
    assert.deepEqual(recalls(found), { image: known.imageRetrieval, text: known.textRetrieval });
  });

  test('ties count against us: where all vectors are equal nothing is found', async (t) => {
    const same = (count: number) => axes(Array(count).fill(0), 4);
    const found = await evaluate(t, {
      ...{ images: pictures(20), imageVectors: same(20) },
      ...{ captions: captionsOf(20, 2), captionVectors: same(40) },
    });
    assert.deepEqual(recalls(found), { image: [0, 0, 0], text: [0, 0, 0] });
  });

  test('a tie with one wrong row is a miss at 1 and a hit at 5', async (t) => {
    const found = await evaluate(t, {
      ...{ images: pictures(4), imageVectors: axes([0, 0, 1, 2], 4) },
      ...{ captions: captionsOf(4, 1), captionVectors: axes([0, 0, 1, 2], 4) },
    });
    assert.deepEqual(recalls(found), { image: [0.5, 1, 1], text: [0.5, 1, 1] });
  });

  test('a picture counts if any of its captions is found, and captions of its own do not push each other back', async (t) => {
    // Of each picture's twelve captions, eleven are as near as can be and one is far.
    const places = Array.from({ length: 24 }, (_, i) => (i % 12 === 11 ? 3 : Math.floor(i / 12)));
    const found = await evaluate(t, {
      ...{ images: pictures(2), imageVectors: axes([0, 1], 4) },
      ...{ captions: captionsOf(2, 12), captionVectors: axes(places, 4) },
    });
    assert.deepEqual(recalls(found), { image: [22 / 24, 1, 1], text: [1, 1, 1] });
  });

  test('pictures without captions are in the way, and captions of no picture are not asked', async (t) => {
    const found = await evaluate(t, {
      ...{ images: pictures(3), imageVectors: axes([0, 0, 1], 4) },
      captions: [captionRow('a', { imageId: 'p0' }), captionRow('b', { imageId: 'p2' }), captionRow('alone')],
      captionVectors: axes([0, 1, 1], 4),
    });
    // "alone" is as near to p2 as its own caption.
    assert.deepEqual(recalls(found), { image: [0.5, 1, 1], text: [0.5, 1, 1] });
  });

  test('a filter leaves one split of several', async (t) => {
    const split = (i: number) => ({ meta: { split: i % 2 === 0 ? 'test' : 'train' } });
    const stored = {
      images: pictures(4).map((row, i) => ({ ...row, ...split(i) })),
      imageVectors: axes([0, 0, 1, 1], 4),
      captions: captionsOf(4, 1).map((row, i) => ({ ...row, ...split(i) })),
      captionVectors: axes([0, 0, 1, 1], 4),
    };
    assert.deepEqual(recalls(await evaluate(t, stored)).image, [0, 1, 1]);
    assert.deepEqual(recalls(await evaluate(t, stored, "meta.split = 'test'")), {
      image: [1, 1, 1],
      text: [1, 1, 1],
    });
  });

  test('intervals hold the recall, and are the same for the same seed', async (t) => {
    const stored = {
      ...{ images: pictures(60), imageVectors: unitVectors(60, 8) },
      ...{ captions: captionsOf(60, 3), captionVectors: unitVectors(180, 8) },
    };
    const [one, other] = [await evaluate(t, stored), await evaluate(t, stored)];
    assert.deepEqual(one, other);
    for (const { recall, low, high } of one.orders[0]?.imageRetrieval ?? assert.fail())
      assert.ok(low <= recall && recall <= high && high - low < 0.3, `${low} ${recall} ${high}`);
  });

  test('re-ranked: by log-odds and scaled cosine of the first, what is behind them stays a miss', async (t) => {
    // Picture 0 is 11 others' equal by cosine, picture 11 stands alone and far from its caption.
    const parts = await store(t, {
      ...{ images: pictures(12), imageVectors: axes([...Array(11).fill(0), 1], 4) },
      ...{ captions: [captionRow('c', { imageId: 'p0' })], captionVectors: axes([0], 4) },
    });
    const reread = async (rerank: number) => {
      const { orders } = await evaluateSplit({
        ...{ ...parts, rerank: [rerank], seed: 1, signal: NEVER },
        crossEncoder: async () => ({
          ...{ threads: 1, fingerprint: undefined },
          score: ({ apart, together }, cosine) => together - apart + 2 * cosine,
          match: async (found) =>
            found.map((picture) => {
              const uri = typeof picture === 'object' && 'uri' in picture ? picture.uri : picture;
              return { apart: 0, together: uri === 'file:///p0' ? 1 : 0 };
            }),
        }),
      });
      return orders.map(({ imageRetrieval }) => imageRetrieval.map(({ recall }) => recall));
    };
    assert.deepEqual(await reread(11), [
      [0, 0, 0],
      [1, 1, 1],
    ]);
    assert.deepEqual(await reread(10), [
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  test('a collection without a captioned picture is refused', async (t) => {
    const stored = {
      ...{ images: pictures(2), imageVectors: axes([0, 1], 4) },
      ...{ captions: [captionRow('alone')], captionVectors: axes([0], 4) },
    };
    await assert.rejects(evaluate(t, stored), vlmoError('EVALUATION_EMPTY', '2 pictures and 1 captions'));
  });

  test('readSplit names pictures that captions are of and that are not there', async (t) => {
    const { split } = await store(t, {
      ...{ images: pictures(1), imageVectors: axes([0], 4) },
      captions: captionsOf(9, 2),
      captionVectors: axes(Array(18).fill(0), 4),
    });
    assert.deepEqual([...split.missing.values()], ['p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8']);
    assert.equal(split.captions.size, 2);
  });
});
