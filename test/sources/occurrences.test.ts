import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Occurrences } from '#sources/occurrences.ts';

test('Occurrences.next: counts each id from 0', () => {
  const table = new Occurrences();
  assert.deepEqual(
    ['a', 'b', 'a', 'a', 'b', ''].map((id) => table.next(id)),
    [0, 0, 1, 2, 1, 0],
  );
  assert.equal(table.size, 3);
});

test('Occurrences.add: is true the first time only and leaves the count alone', () => {
  const table = new Occurrences();
  assert.equal(table.has('a'), false);
  assert.equal(table.add('a'), true);
  assert.equal(table.add('a'), false);
  assert.equal(table.has('a'), true);
  assert.equal(table.next('a'), 0);
  assert.equal(table.next('a'), 1);
  assert.equal(table.add('a'), false);
});

test('Occurrences: keeps every count while it grows, like a Map', () => {
  const table = new Occurrences();
  const map = new Map<string, number>();
  for (let index = 0; index < 100_000; index++) {
    const id = `pictures/${(index * 7919) % 30_011}.jpg`;
    const count = map.get(id) ?? 0;
    assert.equal(table.next(id), count);
    map.set(id, count + 1);
  }
  assert.equal(table.size, map.size);
});

test('Occurrences: holds a million ids in at most 32 bytes each', () => {
  const before = process.memoryUsage().arrayBuffers;
  const table = new Occurrences();
  for (let index = 0; index < 1_000_000; index++) table.add(String(index));
  assert.equal(table.size, 1_000_000);
  // Growing holds the old half beside the new table until it is collected.
  assert.ok(process.memoryUsage().arrayBuffers - before < 1_000_000 * 32 * 2);
});
