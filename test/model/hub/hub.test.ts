import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fingerprint } from '#model/fingerprint.ts';
import { openModel } from '#model/open-model.ts';
import { openIndex } from '#service/open-index.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { vlmoError } from '../vlmo/model-fixture.ts';

/** Models and answers of `test/fixtures/models/make_models.py`: the families' own library, random weights. */
const MODELS = fileURLToPath(new URL('../../fixtures/models', import.meta.url));
const IMAGES = fileURLToPath(new URL('../../fixtures/reference/vlmo-tiny/images', import.meta.url));
const SETTINGS = { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 } as const;
/** Of vectors in reference preprocessing. */
const BOUND = 1e-4;

interface Expected {
  readonly texts: readonly string[];
  readonly images: readonly string[];
  readonly text_embedding: readonly (readonly number[])[];
  readonly image_embedding: readonly (readonly number[])[];
  readonly logit_scale: number;
}

const folder = await temporaryFolder({ after });

for (const name of ['clip', 'siglip', 'siglip2']) {
  const path = join(MODELS, name);
  describe(name, async () => {
    const expected = JSON.parse(await readFile(join(path, 'expected.json'), 'utf8')) as Expected;

    test('vectors of texts and pictures are those of its own library', async () => {
      await using index = await openIndex(join(folder, name), { ...SETTINGS, model: path, create: true });
      await index.index(IMAGES, { preprocess: 'reference' });
      const texts = await index.embed({ texts: [...expected.texts] });
      texts.forEach((vector, i) => {
        assertNear(vector, expected.text_embedding[i] ?? [], `text ${i}`);
      });
      // A text alone is what it is among others, however far its row is filled up.
      const [alone] = await index.embed({ texts: expected.texts.slice(0, 1) });
      assertNear(alone ?? new Float32Array(), expected.text_embedding[0] ?? [], 'a text alone');
      for (const [i, image] of expected.images.entries()) {
        const [vector] = await index.embed({ image: join(IMAGES, image) });
        assertNear(vector ?? new Float32Array(), expected.image_embedding[i] ?? [], image);
      }
    });

    test('an index made with it is searched by texts and pictures, in the order of the right cosines', async () => {
      await using index = await openIndex(join(folder, name), SETTINGS);
      for (const [t, text] of expected.texts.entries()) {
        const { hits } = await index.search({ text, k: 100 });
        const cosines = new Map(
          expected.images.map((image, i) => [
            image,
            dot(expected.image_embedding[i], expected.text_embedding[t]),
          ]),
        );
        const known = hits.filter(({ id }) => cosines.has(id));
        assert.equal(known.length, expected.images.length);
        for (const { id, score } of known) assert.ok(Math.abs(score - (cosines.get(id) ?? 0)) < 1e-3, id);
      }
      const image = expected.images[0] ?? '';
      const { hits } = await index.search({ image: join(IMAGES, image), k: 1 });
      assert.ok((hits[0]?.score ?? 0) > 0.999);
    });

    test('a worker of pairs is refused: it is a dual encoder', async () => {
      const model = await openModel(path);
      assert.equal(model.canMatch, false);
      assert.throws(() => model.requireMatching(), vlmoError('MODEL_HEAD_MISSING', 'dual encoder', name));
    });
  });
}

describe('openModel of a folder of graphs', () => {
  const copy = async (name: string): Promise<string> => {
    const path = join(await temporaryFolder({ after }), name);
    await cp(join(MODELS, name), path, { recursive: true });
    return path;
  };

  test('the bytes of graphs and tokenizer are its fingerprint, not its place', async () => {
    const before = await fingerprint(await openModel(join(MODELS, 'clip')), 'fast');
    const path = await copy('clip');
    assert.equal(await fingerprint(await openModel(path), 'fast'), before);
    const graph = join(path, 'onnx/text_model.onnx');
    const bytes = await readFile(graph);
    const at = bytes.length - 40;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(graph, bytes);
    const changed = await openModel(path).then(
      (model) => fingerprint(model, 'fast'),
      () => 'refused',
    );
    assert.notEqual(changed, before);
  });

  test('one side alone says which searches it allows', async () => {
    const path = await copy('siglip');
    await rm(join(path, 'onnx/text_model.onnx'));
    const model = await openModel(path);
    assert.deepEqual(model.embeds, ['image']);
    await using index = await openIndex(join(folder, 'one side'), { ...SETTINGS, model: path, create: true });
    assert.ok((await index.index(IMAGES)).stored > 0);
    await assert.rejects(index.search({ text: 'a' }), vlmoError('MODEL_HEAD_MISSING', 'pictures only'));
    const { hits } = await index.search({ image: join(IMAGES, 'exact.png'), k: 1 });
    assert.equal(hits.length, 1);
  });

  test('a folder without graphs, and graphs that are damaged or empty, are refused by name', async () => {
    const path = await copy('clip');
    for (const damage of [Buffer.alloc(0), Buffer.from('not a protobuf at all'), Buffer.alloc(1000, 0xff)]) {
      await writeFile(join(path, 'onnx/vision_model.onnx'), damage);
      await assert.rejects(openModel(path), vlmoError('MODEL_INVALID', 'vision_model.onnx'));
    }
    await rm(join(path, 'onnx'), { recursive: true });
    await assert.rejects(openModel(path), vlmoError('MODEL_INVALID', 'onnx/vision_model.onnx', 'none'));
  });
});

function assertNear(received: Float32Array, expected: readonly number[], what: string): void {
  assert.equal(received.length, expected.length, what);
  const off = Math.max(...expected.map((value, i) => Math.abs(value - (received[i] as number))));
  assert.ok(off < BOUND, `${what}: off by ${off}`);
}

function dot(a: readonly number[] = [], b: readonly number[] = []): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
