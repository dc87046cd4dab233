import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gather } from '#store/lance/gather.ts';

/** A table that is written between its reads, each of which takes until its gate is opened. */
function table() {
  const rows = new Map([
    ['a', 1],
    ['b', 2],
  ]);
  const asked: (readonly string[])[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  async function lookUp(keys: readonly string[]): Promise<Map<string, number>> {
    asked.push(keys);
    const found = new Map([...rows].filter(([key]) => keys.includes(key)));
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    return found;
  }
  return { rows, asked, gates, lookUp };
}

describe('gather', () => {
  test('the first begins at once; those that come meanwhile are one lookup, which sees what was written by then', async () => {
    const { rows, asked, gates, lookUp } = table();
    const find = gather(lookUp);
    const first = find(['a', 'c']);
    assert.deepEqual(asked, [['a', 'c']]);
    rows.set('c', 3);
    const [second, third] = [find(['c', 'a']), find(['b', 'a', 'none'])];
    gates[0]?.resolve();
    assert.deepEqual(await first, new Map([['a', 1]]));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(asked[1], ['c', 'a', 'b', 'none']);
    gates[1]?.resolve();
    assert.deepEqual(
      [...(await second)],
      [
        ['c', 3],
        ['a', 1],
      ],
    );
    assert.deepEqual(
      [...(await third)],
      [
        ['b', 2],
        ['a', 1],
      ],
    );
    await new Promise((resolve) => setImmediate(resolve));
    const last = find(['b']);
    gates[2]?.resolve();
    assert.deepEqual([...(await last)], [['b', 2]]);
  });

  test('what a lookup throws reaches all that are in it, and the next goes on', async () => {
    let fails = true;
    const find = gather(async (keys) => {
      if (fails) throw new Error('no disk');
      return new Map(keys.map((key) => [key, 1]));
    });
    const some = await Promise.allSettled([find(['a']), find(['b']), find(['c'])]);
    assert.deepEqual(
      some.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    );
    fails = false;
    assert.deepEqual([...(await find(['a']))], [['a', 1]]);
  });
});
