import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { floatToHalf } from '#float16.ts';
import { openArchive } from '#model/checkpoint/archive.ts';
import { unpickle } from '#model/checkpoint/pickle.ts';
import { stateDict } from '#model/checkpoint/state-dict.ts';
import { readTensor, streamTensor } from '#model/checkpoint/tensor-reader.ts';
import { pickleTensors, type WrittenTensor, writeCheckpoint } from '../../fixtures/checkpoint-writer.ts';
import { seededRandom, temporaryFolder } from '../../fixtures/files.ts';
import { writeZip } from '../../fixtures/zip-writer.ts';
import { vlmoError } from '../vlmo/model-fixture.ts';

test('streamTensor: a tensor of several pieces, somewhere in its storage, is whole and in order', async (t) => {
  const path = join(await temporaryFolder(t), 'pieces.pt');
  const random = seededRandom(2);
  const values = Float32Array.from({ length: 700_003 }, () => random() - 0.5);
  const tensor = { shape: [7, 100_000], offset: 2, elements: values.length };
  const storage = { name: 'a/data/0', data: new Uint8Array(values.buffer) };
  await writeZip(path, [{ name: 'a/data.pkl', data: pickleTensors({ x: tensor }) }, storage]);
  await using archive = await openArchive(path);
  const [[name, read] = assert.fail()] = stateDict(path, unpickle(archive.pickle));
  const expected = values.slice(2, 700_002);
  const half = new Uint16Array(expected.length);
  floatToHalf(expected, half);
  for (const [dtype, bytes] of [
    ['F32', expected],
    ['F16', half],
  ] as const) {
    const pieces: Uint8Array[] = [];
    for await (const piece of streamTensor(archive, name, read, dtype)) pieces.push(piece.slice());
    assert.ok(pieces.length > 1);
    assert.ok(Buffer.concat(pieces).equals(new Uint8Array(bytes.buffer)), dtype);
  }
});

/** A checkpoint of one tensor, read. */
async function readOne(t: TestContext, tensor: WrittenTensor): Promise<Float32Array> {
  const path = join(await temporaryFolder(t), 'one.pt');
  await writeCheckpoint(path, { 'a.weight': tensor });
  await using archive = await openArchive(path);
  const [[name, read] = assert.fail()] = stateDict(path, unpickle(archive.pickle));
  return await readTensor(archive, name, read);
}

test('readTensor: a storage that is missing, short or of integers is refused, naming the tensor', async (t) => {
  const invalid = (pattern: string) => vlmoError('CHECKPOINT_INVALID', 'one.pt', '"a.weight"', pattern);
  await assert.rejects(readOne(t, { shape: [4], bytes: null }), invalid('storage "0"'));
  await assert.rejects(readOne(t, { shape: [4], bytes: 15 }), invalid('16 bytes'));
  await assert.rejects(readOne(t, { shape: [4], bytes: 16, storage: 'DoubleStorage' }), invalid('32 bytes'));
  await assert.rejects(readOne(t, { shape: [4], storage: 'LongStorage' }), invalid('LongStorage'));
  await assert.rejects(readOne(t, { shape: [4], storage: 'constructorStorage' }), invalid('FloatStorage'));
  assert.equal((await readOne(t, { shape: [2, 2] })).length, 4);
});

test('readTensor: one element spread over more than memory is refused before any is taken', async (t) => {
  for (const shape of [[2 ** 29], [2 ** 20, 2 ** 20], [2 ** 52]]) {
    const spread = { shape, strides: shape.map(() => 0), elements: 1, bytes: 4 };
    await assert.rejects(readOne(t, spread), vlmoError('CHECKPOINT_INVALID', '"a.weight"'));
  }
  assert.deepEqual(await readOne(t, { shape: [3], strides: [0], elements: 1 }), new Float32Array(3));
});

test('readTensor: of a view, only the elements between its first and its last are read', async (t) => {
  const view = {
    shape: [2, 2],
    strides: [1, 2],
    offset: 2 ** 28,
    elements: 2 ** 28 + 4,
    bytes: 2 ** 30 + 16,
  };
  assert.deepEqual(await readOne(t, view), new Float32Array(4));
});
