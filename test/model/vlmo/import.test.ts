import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ImportOptions, importCheckpoint } from '#model/vlmo/import.ts';
import { type WrittenTensor, writeCheckpoint } from '../../fixtures/checkpoint-writer.ts';
import { fixture, readJson, temporaryFolder } from '../../fixtures/files.ts';
import { zeroModel } from '../../fixtures/zero-model.ts';
import { importFixture, VOCABULARY, vlmoError } from './model-fixture.ts';

test('importCheckpoint: writes a folder with the files of a Hugging Face model', async (t) => {
  const { model, ignored } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt');
  const files = ['config.json', 'model.safetensors', 'preprocessor_config.json', 'tokenizer.json'];
  assert.deepEqual((await readdir(model.path)).sort(), files);
  const weights = await readFile(join(model.path, 'model.safetensors'));
  assert.equal(model.config.weights_sha256, createHash('sha256').update(weights).digest('hex'));
  const { variant, ...config } = model.config;
  assert.equal(variant, 'custom');
  assert.deepEqual(
    { ...config, weights_sha256: '' },
    {
      model_type: 'vlmo',
      image_size: [64, 64],
      patch_size: [16, 16],
      num_channels: 3,
      hidden_size: 64,
      intermediate_size: 256,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      vlffn_start: 3,
      vocab_size: 131,
      max_text_length: 40,
      dtype: 'f32',
      weights_sha256: '',
    },
  );
  assert.deepEqual(model.heads, { itc: true, itcVl: true, itm: true });
  const unused = [
    'mlm_score.bias',
    'text_embeddings.position_embeddings.weight',
    'text_embeddings.position_ids',
  ];
  for (const name of unused) assert.ok(ignored.includes(name), name);
  const preprocessor = JSON.parse(await readFile(join(model.path, 'preprocessor_config.json'), 'utf8'));
  assert.deepEqual(preprocessor.size, { height: 64, width: 64 });
  assert.deepEqual(
    [preprocessor.image_mean, preprocessor.image_std],
    [
      [0.5, 0.5, 0.5],
      [0.5, 0.5, 0.5],
    ],
  );
});

/** Imports into a folder of its own and holds that a failure leaves nothing there, hidden or not. */
async function assertRefused(
  t: TestContext,
  checkpoint: string,
  options: Partial<ImportOptions>,
  check: (error: unknown) => true,
): Promise<void> {
  const parent = await temporaryFolder(t);
  const out = join(parent, 'model');
  await assert.rejects(
    importCheckpoint(checkpoint, { vocabulary: VOCABULARY, out, dtype: 'f32', ...options }),
    check,
  );
  assert.deepEqual(await readdir(parent), []);
}

/** A checkpoint of zeros with some tensors changed, or taken away where null. */
async function zeroCheckpoint(
  t: TestContext,
  changes: Readonly<Record<string, WrittenTensor | null>>,
  ...model: Parameters<typeof zeroModel>
): Promise<string> {
  const path = join(await temporaryFolder(t), 'zero.pt');
  const all = Object.entries({ ...zeroModel(...model), ...changes });
  await writeCheckpoint(
    path,
    Object.fromEntries(all.flatMap(([name, tensor]) => (tensor ? [[name, tensor]] : []))),
  );
  return path;
}

const BLOCK = 'transformer.blocks.1.';
const POSITIONS = 'text_embeddings.position_embeddings.weight';
const REFUSED: Readonly<Record<string, readonly [Record<string, WrittenTensor | null>, ...string[]]>> = {
  'a missing tensor': [{ [`${BLOCK}mlp_text.fc2.bias`]: null }, `"${BLOCK}mlp_text.fc2.bias"`, 'without'],
  'a tensor of another shape': [{ 'pooler.dense.bias': { shape: [9] } }, '"pooler.dense.bias"', '[8]', '[9]'],
  'a tensor of another rank': [{ 'transformer.norm.bias': { shape: [1, 8] } }, '[8]', '[1, 8]'],
  'no patches': [{ 'transformer.patch_embed.proj.weight': null }, '"transformer.patch_embed.proj.weight"'],
  'patches of no pixels': [
    { 'transformer.patch_embed.proj.weight': { shape: [8, 3, 0, 16] } },
    '[8, 3, 0, 16]',
  ],
  'a table of no grid': [{ relative_position_bias_table: { shape: [400, 4] } }, '400 rows'],
  'no positions at all': [{ relative_position_bias_table: null }, '"transformer.pos_embed"'],
  'heads that do not divide the width': [
    { relative_position_bias_table: { shape: [406, 6] } },
    'divides',
    '3',
  ],
  'a part of a head': [{ relative_position_bias_table: { shape: [406, 5] } }, 'divides', '2.5'],
  'texts of one token': [{ [POSITIONS]: { shape: [1, 8] } }, `"${POSITIONS}"`, '[1, 8]'],
  'texts of no shape': [{ [POSITIONS]: { shape: [] } }, `"${POSITIONS}"`],
  'a storage too short': [
    { 'transformer.norm.bias': { shape: [8], bytes: 31 } },
    '"transformer.norm.bias"',
    '31',
  ],
  'a storage of integers': [{ logit_scale: { shape: [], storage: 'LongStorage' } }, '"logit_scale"'],
  'a width of 2^40 out of one element': [
    { 'transformer.cls_token': { shape: [1, 1, 2 ** 40], strides: [0, 0, 0], elements: 1 } },
    '"transformer.cls_token"',
  ],
};

for (const [what, [changes, ...patterns]] of Object.entries(REFUSED)) {
  test(`importCheckpoint: ${what} is refused by name, and nothing is left`, async (t) => {
    const checkpoint = await zeroCheckpoint(t, changes);
    await assertRefused(t, checkpoint, {}, vlmoError('CHECKPOINT_INVALID', checkpoint, ...patterns));
  });
}

test('importCheckpoint: what is no VLMo, no checkpoint or hostile is refused, and nothing is left', async (t) => {
  const foreign = join(await temporaryFolder(t), 'resnet.pt');
  await writeCheckpoint(foreign, { 'layer1.0.conv1.weight': { shape: [4, 4, 3, 3] } });
  const named = vlmoError('CHECKPOINT_INVALID', 'transformer.patch_embed.proj.weight');
  await assertRefused(t, foreign, {}, named);
  await assertRefused(t, VOCABULARY, {}, vlmoError('CHECKPOINT_INVALID', VOCABULARY));
  await assertRefused(t, '/nowhere/x.pt', {}, vlmoError('CHECKPOINT_NOT_FOUND', '/nowhere/x.pt'));
  const hostile = fixture('hostile/system_global.pt');
  await assertRefused(t, hostile, {}, vlmoError('CHECKPOINT_UNSAFE', '"posix.system"'));
});

test('importCheckpoint: a vocabulary of another size, or none, is refused', async (t) => {
  const checkpoint = fixture('reference/vlmo-tiny/tiny_rel.pt');
  const vocabulary = join(await temporaryFolder(t), 'vocab.txt');
  const words = await readFile(VOCABULARY, 'utf8');
  for (const [text, count] of [
    [`${words}more\n`, 132],
    [words.replace(/\n[^\n]+\n$/, '\n'), 130],
  ] as const) {
    await writeFile(vocabulary, text);
    const counts = vlmoError('MODEL_INPUT_INVALID', vocabulary, '131', String(count));
    await assertRefused(t, checkpoint, { vocabulary }, counts);
  }
  const missing = join(vocabulary, 'none.txt');
  await assertRefused(t, checkpoint, { vocabulary: missing }, vlmoError('MODEL_INPUT_INVALID', missing));
});

test('importCheckpoint: a folder that is there is refused and left as it is', async (t) => {
  const out = await temporaryFolder(t);
  await mkdir(join(out, 'mine'));
  await assert.rejects(
    importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt', { out }),
    vlmoError('MODEL_EXISTS', out),
  );
  assert.deepEqual(await readdir(out), ['mine']);
});

test('importCheckpoint: heads that a checkpoint does not tell must be given, as --heads', async (t) => {
  const checkpoint = fixture('reference/vlmo-tiny/tiny_abs.pt');
  await assertRefused(t, checkpoint, {}, vlmoError('CHECKPOINT_INVALID', '--heads'));
  for (const heads of [5, 0, -4, 1.5]) {
    await assertRefused(t, checkpoint, { heads }, vlmoError('CHECKPOINT_INVALID', '48', String(heads)));
  }
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_abs.pt', { heads: 6 });
  assert.equal(model.config.num_attention_heads, 6);
});

test('importCheckpoint: heads against what the checkpoint tells are refused, the same are welcome', async (t) => {
  const checkpoint = fixture('reference/vlmo-tiny/tiny_rel.pt');
  await assertRefused(t, checkpoint, { heads: 8 }, vlmoError('CHECKPOINT_INVALID', '--heads 4', '--heads 8'));
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt', { heads: 4 });
  assert.equal(model.config.num_attention_heads, 4);
});

test('importCheckpoint: a relative table ends the longest text at 196 tokens', async (t) => {
  for (const [rows, longest] of [
    [196, 196],
    [512, 196],
    [12, 12],
  ] as const) {
    const checkpoint = await zeroCheckpoint(t, { [POSITIONS]: { shape: [rows, 8] } });
    const { model } = await importCheckpoint(checkpoint, {
      vocabulary: VOCABULARY,
      out: join(await temporaryFolder(t), 'model'),
      dtype: 'f32',
    });
    assert.equal(model.config.max_text_length, longest);
  }
});

test('importCheckpoint: as float16, every weight is the nearest half of the float32 one', async (t) => {
  const [single, half] = await Promise.all(
    (['f32', 'f16'] as const).map((dtype) =>
      importFixture(t, 'reference/vlmo-tiny/tiny_abs.pt', { heads: 4, dtype }),
    ),
  );
  const [singles, halves] = [single, half].map((result) => result?.model.weights.tensors);
  assert.deepEqual([...(halves?.keys() ?? [])], [...(singles?.keys() ?? [])]);
  for (const [name, place] of halves ?? []) {
    assert.deepEqual([place.dtype, place.shape], ['F16', singles?.get(name)?.shape], name);
  }
  const sizes = await Promise.all(
    [single, half].map(
      async (result) => (await readFile(join(result?.model.path ?? '', 'model.safetensors'))).length,
    ),
  );
  assert.ok((sizes[1] ?? 0) < 0.56 * (sizes[0] ?? 0), 'half the bytes, and the header');
  const expected = await readJson<{ config: { D: number } }>('reference/vlmo-tiny/tiny_abs.expected.json');
  assert.equal(half?.model.config.hidden_size, expected.config.D);
});
