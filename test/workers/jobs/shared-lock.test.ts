import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SharedLock } from '#workers/jobs/shared-lock.ts';

/** Work that says when it begins, and ends when it is let go. */
function work(lock: SharedLock, begun: string[]) {
  return (name: string, how: 'shared' | 'exclusive') => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = lock[how](async () => {
      begun.push(name);
      await promise;
      begun.push(`${name} ends`);
      return name;
    });
    return { end, letGo: resolve };
  };
}

/** Every step that can be taken without anything from outside has been taken. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate();
}

describe('SharedLock', () => {
  test('shared: all are inside at once, and each gives what its work gives', async () => {
    const begun: string[] = [];
    const start = work(new SharedLock(), begun);
    const [a, b] = [start('a', 'shared'), start('b', 'shared')];
    await settled();
    assert.deepEqual(begun, ['a', 'b']);
    b.letGo();
    a.letGo();
    assert.deepEqual(await Promise.all([a.end, b.end]), ['a', 'b']);
  });

  test('exclusive: waits for those inside, holds back those who come, and lets them in afterwards', async () => {
    const begun: string[] = [];
    const start = work(new SharedLock(), begun);
    const [a, b] = [start('a', 'shared'), start('b', 'shared')];
    await settled();
    const [alone, late] = [start('exclusive', 'exclusive'), start('late', 'shared')];
    a.letGo();
    await settled();
    assert.deepEqual(begun, ['a', 'b', 'a ends']);
    b.letGo();
    await settled();
    assert.deepEqual(begun.slice(3), ['b ends', 'exclusive']);
    alone.letGo();
    late.letGo();
    await Promise.all([alone.end, late.end]);
    assert.deepEqual(begun.slice(5), ['exclusive ends', 'late', 'late ends']);
  });

  test('exclusive: those who ask have their turns one after the other, in their order', async () => {
    const begun: string[] = [];
    const start = work(new SharedLock(), begun);
    const turns = ['1', '2', '3'].map((name) => start(name, 'exclusive'));
    for (const { letGo } of turns.toReversed()) letGo();
    await Promise.all(turns.map(({ end }) => end));
    assert.deepEqual(begun, ['1', '1 ends', '2', '2 ends', '3', '3 ends']);
  });

  test('work that throws leaves the lock open, together and alone', async () => {
    const lock = new SharedLock();
    const fail = () => Promise.reject(new Error('no'));
    await assert.rejects(lock.shared(fail), /no/);
    await assert.rejects(lock.exclusive(fail), /no/);
    assert.equal(await lock.exclusive(async () => 1), 1);
    assert.equal(await lock.shared(async () => 2), 2);
  });
});
