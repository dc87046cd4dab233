import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openArchive } from '#model/checkpoint/archive.ts';
import { unpickle } from '#model/checkpoint/pickle.ts';
import { stateDict } from '#model/checkpoint/state-dict.ts';
import { readTensor, streamTensor } from '#model/checkpoint/tensor-reader.ts';
import { pickle, text, type WrittenTensor, writeCheckpoint } from '../../fixtures/checkpoint-writer.ts';
import { fixture, readJson, temporaryFolder } from '../../fixtures/files.ts';
import { vlmoError } from '../model-fixture.ts';

const expected = await readJson<Record<string, Record<string, readonly number[]>>>('wrappings/expected.json');

for (const wrapping of ['plain', 'state_dict', 'model', 'module', 'ordered']) {
  for (const [type, values] of Object.entries(expected)) {
    test(`stateDict, readTensor: ${wrapping} in ${type} is every tensor by its name, in its order`, async () => {
      const path = fixture(`wrappings/${wrapping}_${type}.pt`);
      await using archive = await openArchive(path);
      const tensors = stateDict(path, unpickle(archive.pickle));
      assert.deepEqual([...tensors.keys()].sort(), Object.keys(values).sort());
      for (const [name, tensor] of tensors) {
        const single = Float32Array.from(values[name] ?? []);
        assert.deepEqual(await readTensor(archive, name, tensor), single, name);
        const streamed: Uint8Array[] = [];
        for await (const bytes of streamTensor(archive, name, tensor, 'F32')) streamed.push(bytes);
        assert.deepEqual(Buffer.concat(streamed), Buffer.from(single.buffer), name);
      }
    });
  }
}

test('stateDict: what holds no tensors is refused, saying what is there', () => {
  const refused = (value: Uint8Array, pattern: string) =>
    assert.throws(
      () => stateDict('x.pt', unpickle(value)),
      vlmoError('CHECKPOINT_INVALID', '"x.pt"', '"state_dict"', pattern),
    );
  refused(pickle(Buffer.from('}')), 'an empty dict');
  refused(pickle(Buffer.from('K\u0001')), 'something else');
  const epoch = Buffer.concat([Buffer.from('}'), text('epoch'), Buffer.from('K\u0003s')]);
  refused(pickle(epoch), '"epoch"');
  refused(pickle(Buffer.from('}'), text('state_dict'), epoch, Buffer.from('s')), '"state_dict"');
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
