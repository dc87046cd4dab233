import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Owned } from '#cli/owned.ts';

describe('Owned', () => {
  test('closes what it was given in the opposite order, one after the other, also where one throws', async () => {
    const closed: string[] = [];
    const owned = new Owned();
    owned.defer(() => closed.push('first'));
    owned.use({ [Symbol.dispose]: () => void closed.push('second') });
    owned.use({
      async [Symbol.asyncDispose]() {
        await Promise.resolve();
        closed.push('third');
        throw new Error('stuck');
      },
    });
    await assert.rejects(owned[Symbol.asyncDispose](), /stuck/);
    assert.deepEqual(closed, ['third', 'second', 'first']);
    await owned[Symbol.asyncDispose]();
    assert.equal(closed.length, 3);
  });

  test('move: what is handed over is closed by its new owner alone', async () => {
    const closed: string[] = [];
    let moved: Owned;
    {
      await using owned = new Owned();
      owned.defer(() => closed.push('it'));
      moved = owned.move();
    }
    assert.deepEqual(closed, []);
    await moved[Symbol.asyncDispose]();
    assert.deepEqual(closed, ['it']);
  });
});
