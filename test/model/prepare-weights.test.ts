import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { halfToFloat } from '#float16.ts';
import { processTag } from '#host-process.ts';
import { prepareWeights } from '#model/prepare-weights.ts';
import { type ModelFolder, openModelFolder } from '#model/vlmo/folder.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { writeRandomModel } from '../fixtures/random-model.ts';
import { importFixture } from './vlmo/model-fixture.ts';

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function tensorBytes(
  model: Pick<ModelFolder, 'weights'>,
  folder: string,
  name: string,
): Promise<Buffer> {
  const { data } = model.weights.rows(name);
  if (data instanceof Uint8Array) return assert.fail('weights lie in a file');
  const file = await readFile(join(folder, data.location));
  return file.subarray(data.offset, data.offset + data.length);
}

test('prepareWeights: float32 weights are used where they lie', async (t) => {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt');
  const prepared = await prepareWeights(model);
  assert.equal(prepared.folder, model.path);
  assert.equal(prepared.weights, model.weights);
  await prepared[Symbol.asyncDispose]();
  assert.ok(await exists(join(model.path, 'model.safetensors')));
});

test('prepareWeights: float16 weights are widened, each to the same number, into a file that goes', async (t) => {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt', { dtype: 'f16' });
  const prepared = await prepareWeights(model);
  for (const [name, { shape }] of model.weights.tensors) {
    assert.deepEqual(prepared.weights.tensors.get(name)?.shape, shape);
    const half = Uint8Array.from(await tensorBytes(model, model.path, name));
    const values = new Float32Array(half.length / 2);
    halfToFloat(new Uint16Array(half.buffer), values);
    const widened = await tensorBytes(prepared, prepared.folder, name);
    assert.deepEqual(widened, Buffer.from(values.buffer), name);
  }
  await prepared[Symbol.asyncDispose]();
  assert.equal(await exists(prepared.folder), false);
});

test('prepareWeights: a tensor of several pieces is widened whole', async (t) => {
  const path = join(await temporaryFolder(t), 'model');
  await writeRandomModel(path, 'f16');
  const model = await openModelFolder(path);
  await using prepared = await prepareWeights(model);
  const name = 'transformer.blocks.4.mlp_vl.fc2.weight';
  const half = Uint8Array.from(await tensorBytes(model, model.path, name));
  const values = new Float32Array(half.length / 2);
  assert.ok(values.length > 1.5 * 1024 * 1024);
  halfToFloat(new Uint16Array(half.buffer), values);
  assert.ok((await tensorBytes(prepared, prepared.folder, name)).equals(new Uint8Array(values.buffer)));
});

test('prepareWeights: a failure leaves no file in memory', async (t) => {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_abs.pt', { heads: 4, dtype: 'f16' });
  const prepared = await prepareWeights(model);
  const parent = dirname(prepared.folder);
  await prepared[Symbol.asyncDispose]();
  await rm(join(model.path, 'model.safetensors'));
  await assert.rejects(prepareWeights(model));
  const mine = (await readdir(parent)).filter((name) => name.startsWith(`vlmo-weights-${process.pid}-`));
  assert.deepEqual(mine, []);
});

test('prepareWeights: takes away what a killed process left, and nothing of a living one', async (t) => {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_abs.pt', { heads: 4, dtype: 'f16' });
  await using first = await prepareWeights(model);
  const module = JSON.stringify(fixture('../../host-process.ts'));
  const print = `import(${module}).then(({ processTag }) => console.log(processTag()))`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', print]);
  const dead = stdout.trim();
  // Of a dead number, and of another container, where it may be alive.
  const foreign = dead.replace(/[0-9a-f]{12}$/, 'f00f00f00f00');
  const folders = [dead, foreign, processTag()].map((tag) =>
    join(dirname(first.folder), `vlmo-weights-${tag}-abcdef`),
  );
  t.after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));
  for (const folder of folders) {
    await mkdir(folder);
    await writeFile(join(folder, 'model.safetensors'), 'x');
  }
  await using second = await prepareWeights(model);
  assert.deepEqual(await Promise.all(folders.map(exists)), [false, true, true]);
  assert.deepEqual(await Promise.all([first.folder, second.folder].map(exists)), [true, true]);
});
