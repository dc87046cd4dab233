// Runs alone: it measures.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { openArchive } from '#model/checkpoint/archive.ts';
import { unpickle } from '#model/checkpoint/pickle.ts';
import { PickledTensor, type PickleValue } from '#model/checkpoint/pickle-values.ts';
import { stateDict } from '#model/checkpoint/state-dict.ts';
import { global, integer, pickle, pickleTensors, text, tuple } from '../../fixtures/checkpoint-writer.ts';
import { fixture, seededRandom } from '../../fixtures/files.ts';
import { vlmoError } from '../vlmo/model-fixture.ts';

async function pickleOf(checkpoint: string): Promise<Uint8Array> {
  await using archive = await openArchive(fixture(checkpoint));
  return archive.pickle;
}

const raw = (...bytes: readonly (number | string)[]): Buffer =>
  Buffer.concat(bytes.map((byte) => (typeof byte === 'string' ? Buffer.from(byte) : Buffer.of(byte))));

test('unpickle: a checkpoint is its dicts, numbers and tensors', async () => {
  const value = unpickle(await pickleOf('reference/vlmo-tiny/tiny_rel.pt'));
  assert.ok(value instanceof Map);
  assert.equal(value.get('epoch'), 3);
  const config = new Map<PickleValue, PickleValue>([
    ['image_size', 64],
    ['max_text_len', 40],
  ]);
  assert.deepEqual(value.get('hyper_parameters'), new Map([['config', config]]));
  const tensors = value.get('state_dict');
  assert.ok(tensors instanceof Map);
  const qkv = tensors.get('transformer.blocks.0.attn.qkv.weight');
  assert.ok(qkv instanceof PickledTensor);
  assert.deepEqual([qkv.shape, qkv.strides, qkv.offset], [[192, 64], [64, 1], 0]);
  assert.deepEqual([qkv.storage.type, qkv.storage.elements], ['FloatStorage', 192 * 64]);
});

// What each file's pickle names: make_hostile.py, beside the files.
const HOSTILE = {
  system_global: 'posix.system',
  system_stack_global: 'posix.system',
  eval: 'builtins.eval',
  eval_protocol_2: '__builtin__.eval',
  getattr: 'builtins.getattr',
  nested_load: 'torch.storage._load_from_bytes',
  numpy: 'numpy.core.multiarray._reconstruct',
  numpy_scalar: 'numpy.core.multiarray.scalar',
  namespace: 'argparse.Namespace',
};

for (const [name, member] of Object.entries(HOSTILE)) {
  test(`unpickle: ${name} is refused, naming "${member}"`, async () => {
    const bytes = await pickleOf(`hostile/${name}.pt`);
    assert.throws(() => unpickle(bytes), vlmoError('CHECKPOINT_UNSAFE', `"${member}"`));
  });
}

test('unpickle: every hostile file of the fixtures is in the table', async () => {
  const files = (await readdir(fixture('hostile'))).filter((name) => name.endsWith('.pt'));
  assert.deepEqual(
    files.sort(),
    Object.keys(HOSTILE)
      .map((name) => `${name}.pt`)
      .sort(),
  );
});

test('unpickle: names that members of objects have are refused like any other', () => {
  for (const [module, member] of [
    ['Object', 'constructor'],
    ['__proto__', 'toString'],
    ['torch', '_utils._rebuild_tensor'],
    ['torch.FloatStorage.os', 'system'],
    ['torch.float', '__class__'],
    ['collections', 'OrderedDict.fromkeys'],
  ] as const) {
    assert.throws(
      () => unpickle(pickle(global(module, member))),
      vlmoError('CHECKPOINT_UNSAFE', `"${module}.${member}"`),
    );
  }
});

test('unpickle: a known name can only be called as what it is', () => {
  const invalid = (...parts: Uint8Array[]) =>
    assert.throws(() => unpickle(pickle(...parts)), vlmoError('CHECKPOINT_INVALID'));
  invalid(global('torch', 'FloatStorage'), raw(')R')); // a storage class called
  invalid(global('collections', 'OrderedDict'), text('x'), raw('R')); // arguments that are no tuple
  invalid(global('collections', 'OrderedDict'), raw('(', 'K', 1, 't', 'R')); // a number for pairs
  invalid(text('x'), raw(')R')); // text called
  invalid(global('torch._utils', '_rebuild_tensor_v2'), raw(')R')); // no arguments
  invalid(
    raw('('),
    text('storage'),
    text('torch.FloatStorage'),
    text('0'),
    text('cpu'),
    integer(4),
    raw('tQ'),
  );
});

test('unpickle: keys such as "__proto__" are keys, and touch no prototype', () => {
  const value = unpickle(
    pickle(raw('}('), text('__proto__'), raw('}('), text('polluted'), raw(0x88, 'uuK', 7, 'K', 8, 's')),
  );
  assert.ok(value instanceof Map);
  assert.ok(value.get('__proto__') instanceof Map);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test('unpickle: numbers of every opcode', () => {
  const number = (...bytes: readonly (number | string)[]): PickleValue => unpickle(pickle(raw(...bytes)));
  assert.equal(number('K', 255), 255);
  assert.equal(number('M', 1, 2), 513);
  assert.equal(number('J', 255, 255, 255, 255), -1);
  assert.equal(number(0x8a, 0), 0);
  assert.equal(number(0x8a, 1, 0xff), -1);
  assert.equal(number(0x8a, 3, 0, 0, 1), 65536);
  assert.equal(number(0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1), 2n ** 64n);
  assert.equal(number('G', 0x3f, 0xf8, 0, 0, 0, 0, 0, 0), 1.5);
});

test('unpickle: a tensor that reaches out of its storage is refused', () => {
  const refused = (tensor: Parameters<typeof pickleTensors>[0][string]) =>
    assert.throws(() => unpickle(pickleTensors({ x: tensor })), vlmoError('CHECKPOINT_INVALID'));
  refused({ shape: [2, 3], elements: 5 });
  refused({ shape: [2], offset: 1, elements: 2 });
  refused({ shape: [2, 2], strides: [1, 2 ** 40], elements: 4 });
  refused({ shape: [-1], elements: 4 });
  refused({ shape: [2], strides: [-1], elements: 4 });
  refused({ shape: [2], strides: [1, 1], elements: 4 });
  refused({ shape: [2], offset: -1, elements: 4 });
  refused({ shape: [2 ** 50, 2 ** 50], elements: 4 });
});

test('unpickle: a value that contains itself or grows by doubling ends in a value or an error at once', () => {
  const doubling = raw(')', ...Array.from({ length: 60 }, (_, i) => ['q', i, 'h', i, 0x86]).flat());
  const deep = raw(']', ...Array.from({ length: 50_000 }, () => 0x85));
  const itself = raw(']q', 0, 'h', 0, 'a');
  for (const [name, inner] of Object.entries({ doubling, deep, itself })) {
    const start = performance.now();
    // As the value, as a key and as a name: a message must not print it.
    for (const parts of [
      [inner],
      [raw('}'), inner, raw('K', 1, 's')],
      [inner, text('x'), raw(0x93)],
      [inner, raw('Q')],
    ]) {
      try {
        stateDict('x.pt', unpickle(pickle(...parts)));
        assert.fail(`${name} is no state dict`);
      } catch (error) {
        assert.ok(error instanceof VlmoError, `${name}: ${String(error)}`);
        assert.ok(error.message.length < 2000);
      }
    }
    assert.ok(performance.now() - start < 1000);
  }
});

test('unpickle: 600 damaged pickles each end in a value or a VlmoError, and no prototype changes', async () => {
  const random = seededRandom(7);
  const originals = await Promise.all(
    ['tiny_rel', 'tiny_abs'].map((name) => pickleOf(`reference/vlmo-tiny/${name}.pt`)),
  );
  const members = Object.getOwnPropertyNames(Object.prototype).join();
  const ends = { value: 0, error: 0 };
  for (let round = 0; round < 600; round++) {
    const bytes = Uint8Array.from(originals[round % 2] ?? []);
    for (let flips = Math.floor(random() * 8); flips >= 0; flips--) {
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    }
    const end = round % 3 === 0 ? Math.floor(random() * bytes.length) : bytes.length;
    try {
      stateDict('damaged.pt', unpickle(bytes.subarray(0, end)));
      ends.value++;
    } catch (error) {
      if (!(error instanceof VlmoError)) throw new Error(`round ${round}`, { cause: error });
      ends.error++;
    }
  }
  assert.equal(Object.getOwnPropertyNames(Object.prototype).join(), members);
  assert.ok(ends.value > 20 && ends.error > 200, JSON.stringify(ends));
});

test('unpickle: a pickle of nothing but random bytes ends in a value or a VlmoError', () => {
  const random = seededRandom(8);
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 64) }, () => Math.floor(random() * 256));
    try {
      unpickle(bytes);
    } catch (error) {
      if (!(error instanceof VlmoError)) throw new Error(`round ${round}`, { cause: error });
    }
  }
  assert.deepEqual(unpickle(pickle(tuple([1, 2]))), [1, 2]);
});
