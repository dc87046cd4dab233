import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { loadBlipTokenizer } from '#model/blip/blip-tokenizer.ts';
import { openBlipFolder } from '#model/blip/folder.ts';
import { BlipGraphs } from '#model/blip/load-blip.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { openModel } from '#model/open-model.ts';
import { layOutSafetensors, readSafetensorsHeader } from '#model/safetensors.ts';
import { padTokens } from '#model/tokenizer.ts';
import { decodeSamples } from '#pictures/preprocess.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { vlmoError } from '../vlmo/model-fixture.ts';
import { BLIP, CLIP, EXPECTED, expectedPair, IMAGES } from './blip-fixture.ts';

const LIMITS = { maxPixels: 1e8, maxImageBytes: 1e8, timeoutSeconds: 60 } as const;
/** Of values in reference preprocessing, and of logits. */
const [BOUND, LOGIT_BOUND] = [1e-4, 1e-3];

describe('BLIP with the answers of its own library', async () => {
  const folder = await openBlipFolder(BLIP);
  const graphs = new BlipGraphs(folder, { threads: 1, provider: 'cpu' });
  after(() => graphs.close());
  const tokenizer = await loadBlipTokenizer(BLIP, folder.config);
  const samples = await Promise.all(
    EXPECTED.images.map(async (image) => {
      const target = new Uint8Array(3 * 32 * 32);
      await decodeSamples(await readFile(join(IMAGES, image)), folder.picture, 'reference', LIMITS, target);
      return target;
    }),
  );
  const tokens = await graphs.readPictures(Buffer.concat(samples), samples.length);
  const length = tokens.length / samples.length;
  const of = (i: number): Float32Array => tokens.subarray(i * length, (i + 1) * length);

  test('ids: [ENC] at place 0, then those of its own tokenizer, cut to 35 with the end kept', () => {
    for (const [i, text] of EXPECTED.texts.entries()) {
      const [, ...rest] = EXPECTED.input_ids[i] ?? [];
      assert.deepEqual(tokenizer.encode(text), [EXPECTED.enc_token_id, ...rest]);
    }
    const [short = '', long = ''] = [EXPECTED.texts[0], EXPECTED.texts.at(-1)];
    assert.deepEqual([tokenizer.isCut(short), tokenizer.isCut(long)], [false, true]);
  });

  test('the first token of each picture, of many at once and of one alone', async () => {
    for (const [i, expected] of EXPECTED.image_tokens_first.entries()) {
      assertNear(of(i).subarray(0, 8), expected, BOUND, EXPECTED.images[i] ?? '');
      const alone = await graphs.readPictures(samples[i] as Uint8Array, 1);
      assertNear(alone, [...of(i)], BOUND, `${EXPECTED.images[i]} alone`);
    }
  });

  test('logits of every pair, with [ENC] and without it', async () => {
    for (const [i, image] of EXPECTED.images.entries()) {
      for (const [j, text] of EXPECTED.texts.entries()) {
        const pair = expectedPair(image, text);
        const original = await graphs.matchTokens(of(i), 1, padTokens([tokenizer.encode(text)]));
        assertNear(original, pair.itm_logits_original, LOGIT_BOUND, `${image}: ${text}`);
        const without = await graphs.matchTokens(of(i), 1, padTokens([EXPECTED.input_ids[j] ?? []]));
        assertNear(without, pair.itm_logits_without_enc, LOGIT_BOUND, `${image}: ${text}, without [ENC]`);
      }
    }
  });

  test('a batch of one picture or one text or of as many, padded to the longest, is what its pairs are alone', async () => {
    const ids = EXPECTED.texts.map((text) => tokenizer.encode(text));
    const { images, texts } = EXPECTED;
    const byTexts = await graphs.matchTokens(of(1), 1, padTokens(ids));
    for (const [j, text] of texts.entries())
      assertNear(byTexts.subarray(2 * j, 2 * j + 2), original(images[1], text), LOGIT_BOUND, text);
    const byPictures = await graphs.matchTokens(tokens, images.length, padTokens(ids.slice(1, 2)));
    for (const [i, image] of images.entries())
      assertNear(byPictures.subarray(2 * i, 2 * i + 2), original(image, texts[1]), LOGIT_BOUND, image);
    const count = Math.min(images.length, texts.length);
    const paired = await graphs.matchTokens(
      tokens.subarray(0, count * length),
      count,
      padTokens(ids.slice(0, count)),
    );
    for (let i = 0; i < count; i++)
      assertNear(paired.subarray(2 * i, 2 * i + 2), original(images[i], texts[i]), LOGIT_BOUND, `pair ${i}`);
  });

  test('weights in 16 bits, with integers beside them, give nearly the same logits', async (t) => {
    const path = await copy(t);
    await toHalf(join(path, 'model.safetensors'));
    const half = await openBlipFolder(path);
    const own = new BlipGraphs(half, { threads: 1, provider: 'cpu' });
    try {
      const read = await own.readPictures(samples[2] as Uint8Array, 1);
      const [image = '', text = ''] = [EXPECTED.images[2], EXPECTED.texts[1]];
      const logits = await own.matchTokens(read, 1, padTokens([tokenizer.encode(text)]));
      assertNear(logits, original(image, text), 2e-2, 'in 16 bits');
    } finally {
      await own.close();
    }
  });
});

describe('openModel of a folder of BLIP', () => {
  test('it reads pairs, and makes no vectors', async () => {
    const model = await openModel(BLIP);
    assert.deepEqual(
      [model.family, model.canMatch, model.canEmbed, model.maxTokens],
      ['blip', true, false, 35],
    );
    const { pictureTokens, score } = model.requireMatching();
    assert.equal(pictureTokens, 5 * 64);
    assert.equal((await score())({ apart: 7, together: 2 }, 0.25), 2.25);
    assert.throws(() => model.requireEmbedding(), vlmoError('MODEL_HEAD_MISSING', 'blip', '--reranker'));
  });

  test('vocab.txt alone, and one of bert-base-uncased without [ENC], give the same ids', async (t) => {
    const path = await copy(t);
    const { config } = await openBlipFolder(path);
    const expected = (await loadBlipTokenizer(path, config)).encode('a red apple');
    await rm(join(path, 'tokenizer.json'));
    assert.deepEqual((await loadBlipTokenizer(path, config)).encode('a red apple'), expected);
    const words = (await readFile(join(path, 'vocab.txt'), 'utf8')).replace('[DEC]\n[ENC]\n', '');
    await writeFile(join(path, 'vocab.txt'), words);
    assert.deepEqual((await loadBlipTokenizer(path, config)).encode('a red apple'), expected);
    await writeFile(join(path, 'vocab.txt'), `${words}a1\nb2\n`);
    await assert.rejects(loadBlipTokenizer(path, config), vlmoError('MODEL_INVALID', '[ENC]', '115 words'));
    await rm(join(path, 'vocab.txt'));
    await assert.rejects(loadBlipTokenizer(path, config), vlmoError('MODEL_INVALID', 'tokenizer.json'));
  });

  test('the bytes of its weights are its fingerprint, not its place', async (t) => {
    const before = await fingerprint(await openModel(BLIP), 'reference');
    const path = await copy(t);
    assert.equal(await fingerprint(await openModel(path), 'reference'), before);
    const bytes = await readFile(join(path, 'model.safetensors'));
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await writeFile(join(path, 'model.safetensors'), bytes);
    assert.notEqual(await fingerprint(await openModel(path), 'reference'), before);
  });

  test('parts that do not fit together are refused by name', async (t) => {
    const refused = async (change: (path: string) => Promise<void>, ...words: string[]): Promise<void> => {
      const path = await copy(t);
      await change(path);
      await assert.rejects(openModel(path), vlmoError('MODEL_INVALID', ...words));
    };
    const json = async (path: string, edit: (json: Record<string, Record<string, unknown>>) => void) => {
      const value = JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, unknown>>;
      edit(value);
      await writeFile(path, JSON.stringify(value));
    };
    const config = (edit: (json: Record<string, Record<string, unknown>>) => void) => (path: string) =>
      json(join(path, 'config.json'), edit);
    await refused((path) => rm(join(path, 'model.safetensors')), 'model.safetensors');
    await refused((path) => rm(join(path, 'preprocessor_config.json')), 'preprocessor_config.json', 'none');
    await refused(
      config(({ text_config: text }) => Object.assign(text ?? {}, { num_hidden_layers: 3 })),
      'text_encoder.encoder.layer.2.attention.self.query.weight',
      'weights without it',
    );
    await refused(
      config(({ vision_config: vision }) => Object.assign(vision ?? {}, { image_size: 64 })),
      '64 x 64',
      '32 x 32',
    );
    await refused(
      config(({ vision_config: vision }) => Object.assign(vision ?? {}, { hidden_act: 'relu' })),
      'hidden_act',
    );
    await refused(
      config(({ vision_config: vision }) => Object.assign(vision ?? {}, { num_attention_heads: 5 })),
      'heads',
    );
    await refused((path) => cp(join(CLIP, 'tokenizer.json'), join(path, 'config.json')), 'config.json');
  });
});

async function copy(t: TestContext): Promise<string> {
  const path = join(await temporaryFolder(t), 'blip-itm');
  await cp(BLIP, path, { recursive: true });
  return path;
}

/** As older versions of the library wrote files: positions as integers among the weights. */
async function toHalf(path: string): Promise<void> {
  const places = await readSafetensorsHeader(path);
  const bytes = await readFile(path);
  const specs = new Map([...places].map(([name, { shape }]) => [name, { dtype: 'F16', shape } as const]));
  const { header, places: halves } = layOutSafetensors(specs);
  const parts = [...places.values()].map(({ offset, length }) => {
    const values = new Float32Array(
      bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + length),
    );
    return Buffer.from(Float16Array.from(values).buffer);
  });
  const end = Math.max(...[...halves.values()].map(({ offset, length }) => offset + length)) - header.length;
  const start = Number(header.subarray(0, 8).length);
  const json = JSON.parse(Buffer.from(header).subarray(start).toString()) as Record<string, unknown>;
  json['text_encoder.embeddings.position_ids'] = {
    dtype: 'I64',
    shape: [1, 2],
    data_offsets: [end, end + 16],
  };
  const text = Buffer.from(JSON.stringify(json));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  await writeFile(path, Buffer.concat([size, text, ...parts, Buffer.alloc(16)]));
}

function original(image: string | undefined, text: string | undefined): readonly number[] {
  return expectedPair(image ?? '', text ?? '').itm_logits_original;
}

function assertNear(received: Float32Array, expected: readonly number[], bound: number, what: string): void {
  assert.equal(received.length, expected.length, what);
  const off = Math.max(...expected.map((value, i) => Math.abs(value - (received[i] as number))));
  assert.ok(off < bound, `${what}: off by ${off}`);
}
