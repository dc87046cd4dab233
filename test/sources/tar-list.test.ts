import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listTars, namesOf } from '#sources/tar/tar-list.ts';
import { compareNumbered } from '#sources/tar/tar-name.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

test('listTars: braces mean what they mean to braceexpand, and each tar comes once', () => {
  const lists: Record<string, readonly string[]> = {
    'a.tar': ['a.tar'],
    'x-{8..11}.tar': ['x-8.tar', 'x-9.tar', 'x-10.tar', 'x-11.tar'],
    'x-{08..11}.tar': ['x-08.tar', 'x-09.tar', 'x-10.tar', 'x-11.tar'],
    'x-{9..010}.tar': ['x-009.tar', 'x-010.tar'],
    '{2..0}.tar': ['2.tar', '1.tar', '0.tar'],
    '{0..9..4}.tar': ['0.tar', '4.tar', '8.tar'],
    '{a,b}/{0..1}.tar': ['a/0.tar', 'a/1.tar', 'b/0.tar', 'b/1.tar'],
    '{a,}.tar': ['a.tar', '.tar'],
    '{a}.tar': ['{a}.tar'],
    'b.tar::{a,b}.tar': ['b.tar', 'a.tar'],
  };
  for (const [spec, tars] of Object.entries(lists)) assert.deepEqual(listTars(spec), tars, spec);
});

test('listTars: refuses more than 100,000, however they are written', () => {
  for (const spec of ['{0..100000}.tar', '{0..999}{0..999}.tar', '{0..9999999999999999999}.tar'])
    assert.throws(() => listTars(spec), vlmoError('USAGE_INVALID', 'at most 100000 tars'), spec);
  assert.equal(listTars('{1..100000}.tar').length, 100_000);
});

test('namesOf: from the folder that they share', () => {
  assert.deepEqual(namesOf(['/a/b/x.tar']), ['x.tar']);
  assert.deepEqual(namesOf(['/a/b/x.tar', '/a/b/y.tar']), ['x.tar', 'y.tar']);
  assert.deepEqual(namesOf(['/a/b/x.tar', '/a/bc/x.tar']), ['b/x.tar', 'bc/x.tar']);
  assert.deepEqual(namesOf(['/a/x.tar', '/b/x.tar']), ['a/x.tar', 'b/x.tar']);
});

test('compareNumbered: by numbers, however they are padded, and never undecided', () => {
  const sorted = [
    '0.tar',
    '00.tar',
    '1.tar',
    '02.tar',
    '2.tar',
    '10.tar',
    'a',
    'a1',
    'a1b',
    'a01c',
    'a2',
    'é',
  ];
  assert.deepEqual(sorted.toReversed().sort(compareNumbered), sorted);
  const long = ['9'.repeat(30), `1${'0'.repeat(30)}`];
  assert.deepEqual(long.toReversed().sort(compareNumbered), long);
});
