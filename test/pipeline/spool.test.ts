import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Spool } from '#pipeline/spool.ts';

/** Whether a promise is settled once all that could happen by now has. */
async function isSettled(promise: Promise<unknown> | undefined): Promise<boolean> {
  let settled = promise === undefined;
  void promise?.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe('Spool', () => {
  test('takes so many at a time, and tells who holds pictures back that somebody waits', async () => {
    const spool = new Spool({ places: 2, bytes: 100 });
    let told = 0;
    using _ = spool.whenFull(() => told++);
    const [first] = [await spool.enter(), await spool.enter()];
    assert.deepEqual([spool.isFull, told], [false, 0]);
    const third = spool.enter();
    assert.deepEqual([await isSettled(third), spool.isFull, told], [false, true, 1]);
    first.leave();
    first.leave();
    assert.deepEqual([await isSettled(third), spool.isFull], [true, false]);
    assert.equal(await isSettled(spool.enter()), false);
  });

  test('gives no more bytes than there are, but to the oldest that arrives; what leaves makes room, oldest first', async () => {
    const spool = new Spool({ places: 10, bytes: 100 });
    const [a, b, c] = [await spool.enter(), await spool.enter(), await spool.enter()];
    assert.equal(b.room(60), undefined);
    const ofC = c.room(50);
    assert.deepEqual([await isSettled(ofC), spool.bytes, spool.isFull], [false, 60, true]);
    assert.equal(a.room(90), undefined, 'the oldest waits for nobody, where nothing could leave');
    a.arrived(70);
    b.arrived(60);
    assert.deepEqual([await isSettled(ofC), spool.bytes], [false, 130]);
    a.leave();
    assert.deepEqual([await isSettled(ofC), spool.bytes, spool.isFull], [false, 60, true]);
    b.leave();
    assert.deepEqual([await isSettled(ofC), spool.bytes, spool.isFull], [true, 50, false]);
    c.leave();
    assert.equal(spool.bytes, 0);
  });

  test('keeps one that is not the oldest waiting until it fits', async () => {
    const spool = new Spool({ places: 10, bytes: 100 });
    const [first, second, third] = [await spool.enter(), await spool.enter(), await spool.enter()];
    assert.equal(second.room(80), undefined);
    second.arrived(80);
    const waiting = third.room(40);
    assert.equal(await isSettled(waiting), false);
    second.leave();
    assert.equal(await isSettled(waiting), true);
    assert.equal(third.room(40), undefined);
    assert.equal(spool.bytes, 40);
    first.leave();
  });
});
