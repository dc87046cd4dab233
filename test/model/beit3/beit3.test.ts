import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { VlmoError } from '#errors.ts';
import { type Beit3ImportOptions, importBeit3 } from '#model/beit3/import.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { openModel } from '#model/open-model.ts';
import { decodeSamples } from '#pictures/preprocess.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { vlmoError } from '../vlmo/model-fixture.ts';

const FIXTURE = fileURLToPath(new URL('../../fixtures/models/beit3', import.meta.url));
const IMAGES = fileURLToPath(new URL('../../fixtures/reference/vlmo-tiny/images', import.meta.url));
const CHECKPOINT = join(FIXTURE, 'beit3_tiny_patch16_retrieval.pth');
const SPM = join(FIXTURE, 'beit3.spm');
const LIMITS = { maxPixels: 1e8, maxImageBytes: 1e8, timeoutSeconds: 60 } as const;
const BOUND = 1e-4;

/** What the official modules answer in float64. */
interface Expected {
  readonly texts: readonly string[];
  readonly images: readonly string[];
  readonly input_ids: readonly (readonly number[])[];
  readonly text_embedding: readonly (readonly number[])[];
  readonly image_embedding: readonly (readonly number[])[];
  readonly logit_scale: number;
  readonly heads: number;
}
const EXPECTED = JSON.parse(await readFile(join(FIXTURE, 'expected.json'), 'utf8')) as Expected;

test('BEiT-3 gives the ids and vectors of its official modules, alone and in batches of mixed lengths', async (t) => {
  const model = await openModel(await imported(t));
  const tokenizer = await model.loadTokenizer();
  assert.deepEqual(
    EXPECTED.texts.map((text) => tokenizer.encode(text)),
    EXPECTED.input_ids,
  );
  assert.ok(Math.abs((await model.readScale()) - EXPECTED.logit_scale) < 0.05);
  const loaded = await model.load({ threads: 1, provider: 'cpu' });
  t.after(() => loaded[Symbol.asyncDispose]());
  assertNear(await loaded.embedTexts(EXPECTED.texts), EXPECTED.text_embedding.flat());
  for (const [i, text] of EXPECTED.texts.entries())
    assertNear(await loaded.embedTexts([text]), EXPECTED.text_embedding[i] ?? []);
  const samples = await Promise.all(
    EXPECTED.images.map(async (image) => {
      const target = new Uint8Array(3 * 32 * 32);
      await decodeSamples(await readFile(join(IMAGES, image)), model.picture, 'reference', LIMITS, target);
      return target;
    }),
  );
  assertNear(
    await loaded.embedPixels(Buffer.concat(samples), samples.length),
    EXPECTED.image_embedding.flat(),
  );
  assertNear(await loaded.embedPixels(samples[2] as Uint8Array, 1), EXPECTED.image_embedding[2] ?? []);
  assert.equal((await loaded.embedTexts([''])).length, model.dimensions);
});

test('ids of odd texts are those of sentencepiece', async (t) => {
  const tokenizer = await (await openModel(await imported(t))).loadTokenizer();
  const odd = JSON.parse(await readFile(join(FIXTURE, 'odd-texts.json'), 'utf8')) as [string, number[]][];
  for (const [text, ids] of odd) assert.deepEqual(tokenizer.encode(text), ids, text.slice(0, 80));
});

test('weights in 16 bits are another model, near the same vectors', async (t) => {
  const [wide, half] = [
    await openModel(await imported(t)),
    await openModel(await imported(t, { dtype: 'f16' })),
  ];
  assert.notEqual(await fingerprint(wide, 'reference'), await fingerprint(half, 'reference'));
  const loaded = await half.load({ threads: 1, provider: 'cpu' });
  t.after(() => loaded[Symbol.asyncDispose]());
  assertNear(await loaded.embedTexts(EXPECTED.texts), EXPECTED.text_embedding.flat());
});

test('a checkpoint that is cut anywhere is refused, and leaves nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const { length } = await readFile(CHECKPOINT);
  for (const share of [0, 0.1, 0.5, 0.9, 0.999]) {
    const path = join(folder, 'cut.pth');
    await copyFile(CHECKPOINT, path);
    await truncate(path, Math.floor(length * share));
    await assert.rejects(
      importBeit3(path, options(join(folder, 'out'))),
      (error) => error instanceof VlmoError,
    );
    assert.deepEqual(await readdir(folder), ['cut.pth']);
  }
  await assert.rejects(
    importBeit3(CHECKPOINT, { ...options(join(folder, 'out')), heads: 5 }),
    vlmoError('CHECKPOINT_INVALID', '--heads', '48'),
  );
  await assert.rejects(
    importBeit3(CHECKPOINT, { ...options(join(folder, 'out')), spm: CHECKPOINT }),
    vlmoError('MODEL_INPUT_INVALID', 'SentencePiece'),
  );
});

async function imported(t: TestContext, more: Partial<Beit3ImportOptions> = {}): Promise<string> {
  const out = join(await temporaryFolder(t), 'beit3');
  return (await importBeit3(CHECKPOINT, { ...options(out), ...more })).model.path;
}

function options(out: string): Beit3ImportOptions {
  return { spm: SPM, out, heads: EXPECTED.heads, dtype: 'f32' };
}

function assertNear(received: Float32Array, expected: readonly number[]): void {
  assert.equal(received.length, expected.length);
  const off = Math.max(...expected.map((value, i) => Math.abs(value - (received[i] as number))));
  assert.ok(off < BOUND, `off by ${off}`);
}
