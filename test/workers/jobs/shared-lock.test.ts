import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Gate } from '#workers/jobs/shared-lock.ts';

/** Work that says when it begins, and ends when it is let go. */
function work(gate: Gate, begun: string[]) {
  return (name: string, how: 'together' | 'alone') => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = gate[how](async () => {
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

describe('Gate', () => {
  test('together: all are inside at once, and each gives what its work gives', async () => {
    const begun: string[] = [];
    const start = work(new Gate(), begun);
    const [a, b] = [start('a', 'together'), start('b', 'together')];
    await settled();
    assert.deepEqual(begun, ['a', 'b']);
    b.letGo();
    a.letGo();
    assert.deepEqual(await Promise.all([a.end, b.end]), ['a', 'b']);
  });

  test('alone: waits for those inside, holds back those who come, and lets them in afterwards', async () => {
    const begun: string[] = [];
    const start = work(new Gate(), begun);
    const [a, b] = [start('a', 'together'), start('b', 'together')];
    await settled();
    const [alone, late] = [start('alone', 'alone'), start('late', 'together')];
    a.letGo();
    await settled();
    assert.deepEqual(begun, ['a', 'b', 'a ends']);
    b.letGo();
    await settled();
    assert.deepEqual(begun.slice(3), ['b ends', 'alone']);
    alone.letGo();
    late.letGo();
    await Promise.all([alone.end, late.end]);
    assert.deepEqual(begun.slice(5), ['alone ends', 'late', 'late ends']);
  });

  test('alone: those who ask have their turns one after the other, in their order', async () => {
    const begun: string[] = [];
    const start = work(new Gate(), begun);
    const turns = ['1', '2', '3'].map((name) => start(name, 'alone'));
    for (const { letGo } of turns.toReversed()) letGo();
    await Promise.all(turns.map(({ end }) => end));
    assert.deepEqual(begun, ['1', '1 ends', '2', '2 ends', '3', '3 ends']);
  });

  test('work that throws leaves the gate open, together and alone', async () => {
    const gate = new Gate();
    const fail = () => Promise.reject(new Error('no'));
    await assert.rejects(gate.together(fail), /no/);
    await assert.rejects(gate.alone(fail), /no/);
    assert.equal(await gate.alone(async () => 1), 1);
    assert.equal(await gate.together(async () => 2), 2);
  });
});
