import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openArchive } from '#model/checkpoint/archive.ts';
import { unpickle } from '#model/checkpoint/pickle.ts';
import { stateDict } from '#model/checkpoint/state-dict.ts';
import { readTensor, streamTensor } from '#model/checkpoint/tensor-reader.ts';
import { pickle, text } from '../../fixtures/checkpoint-writer.ts';
import { fixture, readJson } from '../../fixtures/files.ts';
import { vlmoError } from '../vlmo/model-fixture.ts';

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
        for await (const bytes of streamTensor(archive, name, tensor, 'F32')) streamed.push(bytes.slice());
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
