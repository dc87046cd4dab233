import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OpenMeta, setMeta } from '#sources/meta.ts';

test('setMeta: __proto__ is a key like any other', () => {
  const meta: OpenMeta = {};
  setMeta(meta, '__proto__', { polluted: true });
  setMeta(meta, 'constructor', 1);
  assert.deepEqual(Object.keys(meta), ['__proto__', 'constructor']);
  assert.equal(Object.getPrototypeOf(meta), Object.prototype);
  assert.equal(meta.polluted, undefined);
});
