import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fingerprint } from '#model/fingerprint.ts';
import { openModel } from '#model/open-model.ts';
import { importCheckpoint } from '#model/vlmo/import.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { VOCABULARY } from './vlmo/model-fixture.ts';

/** Digests of version 0.1, and of the bundled model of 0.2: with others, millions of pictures would be embedded again without a word. */
const DIGESTS: readonly (readonly [string, 'reference' | 'fast', string])[] = [
  ['demo', 'reference', '1adde83c6c6467f5b70ff9e233dd23be6d79cb6b874645564728e6d0b176ff61'],
  ['demo', 'fast', 'e1f009858aad9a03e49e25862e5740bf737697bedd3a5e3691d0cd641edca57e'],
  ['tiny_rel f32', 'reference', '56899369c2e2449ff06633ea92572ec5f3f1eb8ee5a795cd7b4f1ebdb5333eae'],
  ['tiny_rel f32', 'fast', 'b17bac08fa89a091cc1113fb3e975418a2044b0e361fc0d14a8c0eeacd2fb4ea'],
  ['tiny_rel f16', 'reference', '7d652aaf85c9bfb0320c820fade8434d4b57bc538eb63f434df9625f4a7d4060'],
  ['tiny_rel f16', 'fast', '4557a8c67421d6060a0a54679e360365ab17e73f87c871881dc25069ce955b5b'],
  ['tiny_abs f32', 'reference', '70141c01d9381c0bc928d130d713e5486c6e0e4688185c221cbdb1a6b634a6b4'],
  ['tiny_abs f32', 'fast', 'fb1b705861c89d9caf0cd6cfeadee19863855aa9df1f189f56afbb19f3b809b3'],
  ['tiny_abs f16', 'reference', '20f53f14d5775c3abf4039da8aacef92f744ccba2e5969f218b489df849c7e6e'],
  ['tiny_abs f16', 'fast', 'b985c41e24a8038731b2b98da951f44b031bb8909a87b4ebe9793b10ada8b8fd'],
];

const folder = await temporaryFolder({ after });

/** The folder of a model of the table; a checkpoint is imported once. */
async function modelPath(name: string): Promise<string> {
  if (name === 'demo') return fixture('../../models/demo');
  const [checkpoint = '', dtype] = name.split(' ');
  const out = join(folder, `${checkpoint}-${dtype}`);
  await importCheckpoint(fixture(`reference/vlmo-tiny/${checkpoint}.pt`), {
    ...{ vocabulary: VOCABULARY, out, dtype: dtype === 'f16' ? 'f16' : 'f32' },
    ...(checkpoint === 'tiny_abs' && { heads: 4 }),
  }).catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'MODEL_EXISTS') throw error;
  });
  return out;
}

describe('fingerprint', () => {
  for (const [name, mode, digest] of DIGESTS) {
    test(`${name}, ${mode}: the digest it had when it was first made`, async () => {
      assert.equal(await fingerprint(await openModel(await modelPath(name)), mode), digest);
    });
  }

  test('a folder that wants other pictures is another model; one that says nothing of them is not', async (t) => {
    const path = join(await temporaryFolder(t), 'tiny');
    await cp(await modelPath('tiny_rel f32'), path, { recursive: true });
    const file = join(path, 'preprocessor_config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as object;
    const digest = async (changes: object): Promise<string> => {
      await writeFile(file, JSON.stringify({ ...config, ...changes }));
      return fingerprint(await openModel(path), 'fast');
    };
    const usual = await digest({ crop_size: 99, do_center_crop: false, unheard_of: true });
    assert.equal(usual, 'b17bac08fa89a091cc1113fb3e975418a2044b0e361fc0d14a8c0eeacd2fb4ea');
    const others = [
      await digest({ image_mean: [0.48, 0.46, 0.41] }),
      await digest({ resample: 2 }),
      await digest({ size: { shortest_edge: 64 }, do_center_crop: true, crop_size: 64 }),
    ];
    assert.equal(new Set([usual, ...others]).size, 4);
    await assert.rejects(digest({ size: { height: 32, width: 64 } }), { code: 'MODEL_INVALID' });
  });
});
