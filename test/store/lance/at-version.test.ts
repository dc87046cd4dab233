import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { atVersion, lookUpAtVersion } from '#store/lance/at-version.ts';

describe('atVersion', () => {
  test('is made once a version, for all who ask', async () => {
    let version = 1;
    let made = 0;
    const get = atVersion(
      async () => version,
      async () => ++made,
    );
    assert.deepEqual(await Promise.all([get(), get(), get()]), [1, 1, 1]);
    version = 2;
    assert.equal(await get(), 2);
    assert.equal(await get(), 2);
  });

  test('what could not be made is made again', async () => {
    let fails = true;
    const get = atVersion(
      async () => 1,
      async () => {
        if (fails) throw new Error('gone');
        return 'there';
      },
    );
    await assert.rejects(get(), /gone/);
    fails = false;
    assert.equal(await get(), 'there');
  });
});

describe('lookUpAtVersion', () => {
  function looked() {
    const rows = new Map([
      ['a', 1],
      ['b', 2],
    ]);
    const asked: string[][] = [];
    let version = 1;
    const bytes = { each: 8 };
    const find = lookUpAtVersion<string, number>(
      async () => version,
      async (keys) => {
        asked.push([...keys]);
        return new Map(
          keys.flatMap((key) => {
            const value = rows.get(key);
            return value === undefined ? [] : [[key, { value, bytes: bytes.each }]];
          }),
        );
      },
    );
    return { rows, asked, bytes, find, commit: () => (version += 1) };
  }

  test('reads what it has not read yet, and what is not there once', async () => {
    const { asked, find } = looked();
    assert.deepEqual([...(await find(['a', 'none']))], [['a', 1]]);
    assert.deepEqual(
      [...(await find(['none', 'b', 'a', 'b']))],
      [
        ['b', 2],
        ['a', 1],
      ],
    );
    assert.deepEqual([...(await find(['a', 'b', 'none']))].length, 2);
    assert.deepEqual(asked, [['a', 'none'], ['b']]);
  });

  test('sees what was committed since', async () => {
    const { rows, asked, find, commit } = looked();
    await find(['a', 'none']);
    rows.set('none', 3).delete('a');
    commit();
    assert.deepEqual([...(await find(['a', 'none']))], [['none', 3]]);
    assert.equal(asked.length, 2);
  });

  test('what was read before a commit is not kept behind it', async () => {
    const { rows, find, commit } = looked();
    const early = find(['a']);
    commit();
    rows.set('a', 9);
    await Promise.all([early, find(['b'])]);
    assert.deepEqual([...(await find(['a']))], [['a', 9]]);
  });

  test('keeps bounded bytes: a value too large is read each time', async () => {
    const { asked, bytes, find } = looked();
    bytes.each = 1e9;
    await find(['a']);
    assert.deepEqual([...(await find(['a']))], [['a', 1]]);
    assert.equal(asked.length, 2);
  });
});
