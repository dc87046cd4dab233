import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openModelFolder } from '#model/vlmo/folder.ts';
import { importCheckpoint } from '#model/vlmo/import.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { writeCheckpoint } from '../../fixtures/checkpoint-writer.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { zeroModel } from '../../fixtures/zero-model.ts';
import { importFixture, VOCABULARY, vlmoError } from './model-fixture.ts';

/** The folder of a model whose config was changed. */
async function changed(t: TestContext, changes: Readonly<Record<string, unknown>>): Promise<string> {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt');
  await writeFile(join(model.path, 'config.json'), JSON.stringify({ ...model.config, ...changes }));
  return model.path;
}

test('openModelFolder: an imported folder opens as it was imported', async (t) => {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt');
  const opened = await openModelFolder(model.path);
  assert.deepEqual(opened.config, model.config);
  assert.deepEqual(opened.heads, model.heads);
  assert.equal(opened.name, basename(model.path));
});

test('openModelFolder: sizes may be one number for both sides', async (t) => {
  const path = await changed(t, { image_size: 64, patch_size: 16 });
  const { config } = await openModelFolder(path);
  assert.deepEqual(
    [config.image_size, config.patch_size],
    [
      [64, 64],
      [16, 16],
    ],
  );
});

test('openModelFolder: heads are those whose every part is there', async (t) => {
  const heads = async (parts: Parameters<typeof zeroModel>[1]) => {
    const folder = await temporaryFolder(t);
    await writeCheckpoint(join(folder, 'zero.pt'), zeroModel({}, parts));
    const options = { vocabulary: VOCABULARY, out: join(folder, 'model'), dtype: 'f32' } as const;
    return (await importCheckpoint(join(folder, 'zero.pt'), options)).model.heads;
  };
  assert.deepEqual(await heads({}), { itc: true, itcVl: true, itm: true });
  assert.deepEqual(await heads({ itcVl: false }), { itc: true, itcVl: false, itm: true });
  assert.deepEqual(await heads({ itc: false }), { itc: false, itcVl: true, itm: true });
  assert.deepEqual(await heads({ pooler: false }), { itc: true, itcVl: true, itm: false });
});

test('openModelFolder: a folder that is no model is refused, naming it', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(openModelFolder(folder), vlmoError('MODEL_NOT_FOUND', folder));
  await assert.rejects(openModelFolder(join(folder, 'none')), vlmoError('MODEL_NOT_FOUND', 'none'));
  await assert.rejects(loadVlmo(folder), vlmoError('MODEL_NOT_FOUND', folder));
});

test('openModelFolder: a config that is damaged, of another model or out of range is refused', async (t) => {
  for (const changes of [
    { model_type: 'bert' },
    { hidden_size: -64 },
    { image_size: [64] },
    { dtype: 'f64' },
    { weights_sha256: 'x' },
  ]) {
    const path = await changed(t, changes);
    await assert.rejects(
      openModelFolder(path),
      vlmoError('MODEL_INVALID', 'config.json', Object.keys(changes)[0] ?? ''),
    );
  }
  const path = await changed(t, {});
  await writeFile(join(path, 'config.json'), '{"model_type": ');
  await assert.rejects(openModelFolder(path), vlmoError('MODEL_INVALID', 'config.json'));
});

test('openModelFolder: weights that are missing or contradict the config are refused', async (t) => {
  const changes = [
    { hidden_size: 32 },
    { num_hidden_layers: 5 },
    { image_size: [80, 80] },
    { num_attention_heads: 8 },
    { vocab_size: 132 },
    { vlffn_start: 2 },
    { dtype: 'f16' },
  ];
  for (const change of changes) {
    const path = await changed(t, change);
    await assert.rejects(openModelFolder(path), vlmoError('MODEL_INVALID', path, 'expected tensor "'));
  }
  const path = await changed(t, {});
  await rm(join(path, 'model.safetensors'));
  await assert.rejects(openModelFolder(path), vlmoError('MODEL_INVALID', 'model.safetensors'));
});

test('openModelFolder: weights cut off are refused', async (t) => {
  const path = await changed(t, {});
  const weights = await readFile(join(path, 'model.safetensors'));
  await writeFile(join(path, 'model.safetensors'), weights.subarray(0, -1));
  await assert.rejects(openModelFolder(path), vlmoError('MODEL_INVALID', 'inside the file'));
});
