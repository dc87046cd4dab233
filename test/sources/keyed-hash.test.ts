import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyedHash } from '#sources/keyed-hash.ts';

/** The bytes 0, 1, 2, … as UTF-16, low byte first. */
function counting(bytes: number): string {
  return Buffer.from(Array.from({ length: bytes }, (_, index) => index)).toString('utf16le');
}

test('keyedHash: gives the reference values of HalfSipHash-2-4 (vectors_hsip64 of github.com/veorq/SipHash)', () => {
  const reference = {
    0: '218d1f59b9b83cc8',
    2: '064f39ef7c50eb57',
    4: 'd5e78a175be52ea1',
    6: 'ce3e91358aa2bc25',
  };
  for (const [bytes, expected] of Object.entries(reference)) {
    const { low, high } = keyedHash(counting(Number(bytes)), [0x03020100, 0x07060504], { low: 0, high: 0 });
    const actual = Buffer.alloc(8);
    actual.writeUInt32LE(low, 0);
    actual.writeUInt32LE(high, 4);
    assert.equal(actual.toString('hex'), expected, `${bytes} bytes`);
  }
});

test('keyedHash: differs with the key', () => {
  const one = { ...keyedHash('a.jpg', [1, 2], { low: 0, high: 0 }) };
  assert.notDeepEqual(keyedHash('a.jpg', [1, 3], { low: 0, high: 0 }), one);
});
