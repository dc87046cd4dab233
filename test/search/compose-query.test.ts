// Runs alone: it measures.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { composeVector, parseQueryText } from '#search/compose-query.ts';
import { seededRandom } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { unitVectors } from '../store/lance/store-fixture.ts';

describe('parseQueryText', () => {
  test('parts in double quotes, with a sign before and a weight behind', () => {
    for (const [text, expected] of [
      [
        '"beach" -"people"',
        [
          ['beach', 1],
          ['people', -1],
        ],
      ],
      [
        '"red apple"^2 "table" -"people"^0.5',
        [
          ['red apple', 2],
          ['table', 1],
          ['people', -0.5],
        ],
      ],
      ['"red apple"', [['red apple', 1]]],
      [
        '  -"people"\t+"beach"^.25  ',
        [
          ['people', -1],
          ['beach', 0.25],
        ],
      ],
      ['" a b "^0', [[' a b ', 0]]],
      [
        `"it's" -"50 % off"`,
        [
          ["it's", 1],
          ['50 % off', -1],
        ],
      ],
    ] as const) {
      const parts = parseQueryText(text).map((part) => [part.text, part.weight]);
      assert.deepEqual(parts, expected, text);
    }
  });

  test('any other text is taken as it is', () => {
    for (const text of [
      'red apple',
      'a "red" apple',
      '"red" apple',
      'red "apple"',
      '"red',
      'red"',
      '"a""b"',
      '"a"^',
      '"a"^-1',
      '"a" ^2',
      '- "a"',
      '--"a"',
      '""',
      '" "',
      '"a" ""',
      '"a" -" "',
      '',
      '-people',
    ]) {
      assert.deepEqual(parseQueryText(text), [{ text, weight: 1 }], text);
    }
  });

  test('long texts of quotes take no time', () => {
    const started = performance.now();
    for (const text of [
      `"${'a'.repeat(60_000)}`,
      `${'"a" '.repeat(15_000)}"`,
      `${'-"a"^1 '.repeat(9000)}x`,
    ]) {
      assert.deepEqual(parseQueryText(text), [{ text, weight: 1 }]);
    }
    assert.ok(performance.now() - started < 1000);
  });
});

describe('composeVector', () => {
  const vectors = unitVectors(3, 16, seededRandom(4));
  const [a, b, c] = [0, 1, 2].map((i) => vectors.subarray(16 * i, 16 * (i + 1))) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);

  test('unit length, and cosines in the order of the weighted sum of those with the parts', () => {
    const sum = composeVector([
      { vector: a, weight: 2 },
      { vector: b, weight: 1 },
      { vector: c, weight: -0.5 },
    ]);
    assert.ok(Math.abs(dot(sum, sum) - 1) < 1e-6);
    const length = Math.sqrt(
      a.reduce((all, _, i) => all + (2 * (a[i] ?? 0) + (b[i] ?? 0) - 0.5 * (c[i] ?? 0)) ** 2, 0),
    );
    const others = unitVectors(50, 16, seededRandom(9));
    for (let i = 0; i < 50; i++) {
      const row = others.subarray(16 * i, 16 * (i + 1));
      const parts = 2 * dot(a, row) + dot(b, row) - 0.5 * dot(c, row);
      assert.ok(Math.abs(dot(sum, row) - parts / length) < 1e-6);
    }
  });

  test('one part stays as it is, whatever its weight; below 0 it is turned round', () => {
    assert.equal(composeVector([{ vector: a, weight: 3 }]), a);
    const turned = composeVector([{ vector: a, weight: -1 }]);
    assert.ok(turned.every((value, i) => Math.abs(value + (a[i] ?? Number.NaN)) < 1e-7));
  });

  test('parts that cancel each other out are refused, and weights that say nothing', () => {
    const almost = a.map((value, i) => value + (i === 0 ? 1e-4 : 0));
    for (const parts of [
      [
        { vector: a, weight: 1 },
        { vector: a, weight: -1 },
      ],
      [
        { vector: a, weight: 1 },
        { vector: almost, weight: -1 },
      ],
      [
        { vector: a, weight: 0 },
        { vector: b, weight: 0 },
      ],
      [{ vector: a, weight: 0 }],
      [
        { vector: a, weight: 1e308 },
        { vector: b, weight: 1e308 },
      ],
      [],
    ]) {
      assert.throws(() => composeVector(parts), vlmoError('QUERY_INVALID', 'Cannot search'));
    }
    const small = composeVector([
      { vector: a, weight: 1e-9 },
      { vector: b, weight: 1e-9 },
    ]);
    assert.ok(Math.abs(dot(small, small) - 1) < 1e-6, 'only the ratio of weights counts');
  });
});
