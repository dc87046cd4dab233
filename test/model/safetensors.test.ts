import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { layOutSafetensors, readSafetensorsHeader, type TensorPlace } from '#model/safetensors.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importFixture, vlmoError } from './vlmo/model-fixture.ts';

/** A file with this header, spaces added by hand where wanted, and `data` bytes of zeros. */
async function read(t: TestContext, header: unknown, data = 64): Promise<ReadonlyMap<string, TensorPlace>> {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return readBytes(t, Buffer.concat([length, json, Buffer.alloc(data)]));
}

async function readBytes(t: TestContext, bytes: Uint8Array): Promise<ReadonlyMap<string, TensorPlace>> {
  const path = join(await temporaryFolder(t), 'model.safetensors');
  await writeFile(path, bytes);
  return readSafetensorsHeader(path);
}

test('layOutSafetensors: what it lays out is what is read back, data beginning on 64 bytes', async (t) => {
  const specs = new Map([
    ['a', { dtype: 'F32', shape: [2, 3] }],
    ['größe', { dtype: 'F16', shape: [5] }],
    ['scalar', { dtype: 'F32', shape: [] }],
    ['empty', { dtype: 'F16', shape: [0, 4] }],
  ] as const);
  for (let count = 1; count <= specs.size; count++) {
    const some = new Map([...specs].slice(0, count));
    const { header, places } = layOutSafetensors(some);
    assert.equal(header.length % 64, 0);
    assert.equal(places.get('a')?.offset, header.length);
    const lengths = [...places.values()].map(({ length }) => length);
    assert.deepEqual(lengths, [24, 10, 4, 0].slice(0, count));
    const total = lengths.reduce((sum, length) => sum + length, 0);
    assert.deepEqual(await readBytes(t, Buffer.concat([header, Buffer.alloc(total)])), places);
    const [, last] = [...places].at(-1) ?? [];
    assert.equal((last?.offset ?? 0) + (last?.length ?? 0), header.length + total);
  }
});

test('readSafetensorsHeader: reads a file of other writers, keys in any order, spaces before and after', async (t) => {
  const header = ` {"b": {"dtype":"F16","shape":[2],"data_offsets":[8,12]},
    "__metadata__": {"format":"pt","x":"y"}, "a": {"data_offsets":[0,8],"shape":[1,2],"dtype":"F32"}}   `;
  const start = 8 + header.length;
  assert.deepEqual(
    await read(t, header, 12),
    new Map([
      ['b', { dtype: 'F16', shape: [2], offset: start + 8, length: 4 }],
      ['a', { dtype: 'F32', shape: [1, 2], offset: start, length: 8 }],
    ]),
  );
});

test('importCheckpoint: the file it writes holds what its header says and nothing more', async (t) => {
  const { model } = await importFixture(t, 'reference/vlmo-tiny/tiny_rel.pt');
  const places = [...model.weights.tensors.values()];
  const word = model.weights.tensors.get('text_embeddings.word_embeddings.weight');
  assert.deepEqual(word?.shape, [131, 64]);
  assert.equal(Math.min(...places.map(({ offset }) => offset)) % 64, 0);
  for (const [i, { offset, length }] of places.entries()) {
    if (i + 1 < places.length) assert.equal(places[i + 1]?.offset, offset + length);
  }
});

const f32 = (shape: readonly unknown[], from: unknown, to: unknown) => ({
  dtype: 'F32',
  shape,
  data_offsets: [from, to],
});
const HOSTILE: Readonly<Record<string, unknown>> = {
  'bytes before the data': { a: f32([2], -8, 0) },
  'bytes behind the file': { a: f32([2], 60, 68) },
  'an end before the beginning': { a: f32([2], 8, 0) },
  'fewer bytes than the shape needs': { a: f32([3], 0, 8) },
  'more bytes than the shape needs': { a: f32([1], 0, 8) },
  'tensors that overlap': { a: f32([2], 0, 8), b: f32([2], 4, 12) },
  'a size of 2^60': { a: f32([2 ** 30, 2 ** 30], 0, 8) },
  'a size beyond what a number holds': { a: f32([1e308, 1e308], 0, 8) },
  'a negative size': { a: f32([-2, -1], 0, 8) },
  'half an element': { a: f32([1.5], 0, 6) },
  'offsets that are text': { a: f32([2], '0', '8') },
  'a type nobody knows': { a: { dtype: 'F128', shape: [2], data_offsets: [0, 8] } },
  'a type of integers': { a: { dtype: 'I64', shape: [1], data_offsets: [0, 8] } },
  'a tensor without a place': { a: { dtype: 'F32', shape: [1] } },
  'a tensor that is a number': { a: 1 },
  'a tensor that is null': { a: null },
  'a tensor named __proto__ without a place': '{"__proto__": {"dtype": "F32"}}',
  'a list': [],
  nothing: 'null',
  'no JSON': '{"a": ',
  'no text': '\u0000\u0001',
};

for (const [what, header] of Object.entries(HOSTILE)) {
  test(`readSafetensorsHeader: ${what} is refused`, async (t) => {
    await assert.rejects(read(t, header), vlmoError('MODEL_INVALID', 'model.safetensors'));
    assert.equal(({} as Record<string, unknown>).dtype, undefined);
  });
}

test('readSafetensorsHeader: a header longer than the file or than any header is refused unread', async (t) => {
  for (const length of [0n, 57n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n]) {
    const bytes = Buffer.alloc(64);
    bytes.writeBigUInt64LE(length);
    await assert.rejects(readBytes(t, bytes), vlmoError('MODEL_INVALID', 'header'));
  }
  for (const size of [0, 7])
    await assert.rejects(readBytes(t, Buffer.alloc(size)), vlmoError('MODEL_INVALID', `${size} bytes`));
});

test('readSafetensorsHeader: a file that is not there is a model that is not whole', async (t) => {
  const path = join(await temporaryFolder(t), 'model.safetensors');
  await assert.rejects(readSafetensorsHeader(path), vlmoError('MODEL_INVALID', path));
});
