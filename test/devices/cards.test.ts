import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceType } from '#config/device-type.ts';
import { cardsOf, onlyCard } from '#devices/cards.ts';
import { resolveDevice } from '#devices/device.ts';
import { missingCudaLibraries } from '#devices/gpu-facts.ts';
import { openOnCards } from '#workers/threads/card-pools.ts';
import type { InferencePool } from '#workers/threads/pools.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

test('deviceType: one kind, or cards of CUDA; mixed kinds are none', () => {
  for (const name of ['auto', 'cpu', 'webgpu', 'cuda', 'cuda:all', 'cuda:0', 'cuda:0,cuda:12'])
    assert.equal(deviceType.parse(name), name);
  assert.equal(deviceType.parse(' cuda:0, cuda:1 '), 'cuda:0,cuda:1');
  for (const name of [
    'gpu',
    'cuda:',
    'cuda:x',
    'cuda:0,webgpu',
    'cuda:0,1',
    'webgpu:0',
    'cuda:all,cuda:0',
    'cuda,cpu',
    '',
  ])
    assert.equal(deviceType.parse(name), undefined, name);
});

test('cardsOf: the cards that are there, each once', () => {
  assert.deepEqual(cardsOf('cuda', 2), []);
  assert.deepEqual(cardsOf('cuda:all', 3), [0, 1, 2]);
  assert.deepEqual(cardsOf('cuda:1,cuda:0', 2), [1, 0]);
  // What is for several can be tried where there is one.
  assert.deepEqual(cardsOf('cuda:0,cuda:0', 1), [0, 0]);
  assert.deepEqual(cardsOf('cuda:0,cuda:3', null), [0, 3]);
  for (const [name, there, ...words] of [
    ['cuda:7', 2, '"cuda:0" to "cuda:1"', 'received "cuda:7"'],
    ['cuda:1', 1, 'the only card', 'received "cuda:1"'],
    ['cuda:0', 0, 'an NVIDIA GPU'],
    ['cuda:all', 0, 'received none'],
    ['cuda:0,cuda:1,cuda:0', 2, 'each card once', '"cuda:0" twice'],
  ] as const)
    assert.throws(() => cardsOf(name, there), vlmoError('DEVICE_UNAVAILABLE', `"${name}"`, ...words));
});

test('onlyCard: a card of those that the process sees', () => {
  assert.equal(onlyCard(1, undefined), '1');
  assert.equal(onlyCard(1, '4,6'), '6');
});

test(
  'resolveDevice: a card without CUDA says what is missing',
  { skip: missingCudaLibraries().length === 0 },
  () =>
    assert.rejects(
      resolveDevice('cuda:0,cuda:1'),
      vlmoError('DEVICE_UNAVAILABLE', '"cuda:0,cuda:1"', 'cuDNN 9'),
    ),
);

test('openOnCards: runs go to the card that has the fewest, and one that does not open closes the others', async () => {
  const asked: number[] = [];
  const closed: number[] = [];
  const gates: (() => void)[] = [];
  const pool = async (card: number): Promise<InferencePool> => {
    const run = (): Promise<Float32Array> => {
      asked.push(card);
      return new Promise((resolve) => gates.push(() => resolve(Float32Array.of(card))));
    };
    if (card === 9) throw new Error('no such card');
    const precision = { precision: 'f16', reason: null } as const;
    return {
      threads: 2,
      precision,
      run,
      runUrgent: run,
      [Symbol.asyncDispose]: async () => void closed.push(card),
    };
  };
  const pools = await openOnCards([3, 5], pool);
  assert.equal(pools.threads, 4);
  const task = { kind: 'texts', texts: [''] } as const;
  const first = pools.run(task);
  const second = pools.runUrgent(task);
  assert.deepEqual(asked, [3, 5]);
  gates[1]?.();
  assert.deepEqual([...(await second)], [5]);
  const third = pools.run(task);
  assert.deepEqual(asked, [3, 5, 5]);
  for (const open of gates) open();
  await Promise.all([first, third]);
  await pools[Symbol.asyncDispose]();
  assert.deepEqual(closed, [3, 5]);
  await assert.rejects(openOnCards([3, 9], pool), /no such card/);
  assert.deepEqual(closed, [3, 5, 3]);
});
