import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CallGate } from '#service/call-gate.ts';

describe('CallGate', () => {
  test('lets so many in, then says ENGINE_BUSY, and lets in again who comes when one has left', () => {
    const gate = new CallGate(2, () => 0);
    const leave = gate.enter();
    gate.enter();
    assert.throws(() => gate.enter(), { code: 'ENGINE_BUSY', retriable: true, retryAfterMs: 1000 });
    leave();
    gate.enter();
    assert.throws(() => gate.enter(), { code: 'ENGINE_BUSY' });
  });

  test('the wait is what those under way take at the rate measured while there was work', () => {
    let now = 0;
    const gate = new CallGate(10, () => now);
    // Ten calls, 50 ms each, with nothing to do for a minute between them.
    for (let call = 0; call < 10; call++) {
      const leave = gate.enter();
      now += 50;
      leave();
      now += 60_000;
    }
    for (let call = 0; call < 10; call++) gate.enter();
    assert.throws(() => gate.enter(), { retryAfterMs: Math.round((10 * 450) / 9) });
    now += 450;
    // Nothing was answered since: it is slower than it was.
    assert.throws(() => gate.enter(), { retryAfterMs: Math.round((10 * 900) / 9) });
  });
});
