import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Locate, locateFrom, locateInside } from '#sources/picture-path.ts';

test('locateFrom: relative to the folder, absolute, file URL, other URL', () => {
  const locate = locateFrom('/data/set');
  const uris = {
    'a.jpg': '/data/set/a.jpg',
    './a.jpg': '/data/set/a.jpg',
    '../b/a..jpg': '/data/b/a..jpg',
    'x//y/.hidden/a.jpg': '/data/set/x/y/.hidden/a.jpg',
    '/abs/a.jpg': '/abs/a.jpg',
    'file:///abs/a%20b.jpg': '/abs/a b.jpg',
    'https://example.org/../a.jpg?q=1': 'https://example.org/../a.jpg?q=1',
    's3://bucket/a.jpg': 's3://bucket/a.jpg',
  };
  for (const [path, uri] of Object.entries(uris)) assert.equal(asLocation(locate(path)).uri, uri, path);
});

test('locateFrom: the id is the path, normal, and the alias its other spelling', () => {
  const locate = locateFrom('/data/set');
  const names = {
    'a.jpg': ['a.jpg', '/data/set/a.jpg'],
    './x//a.jpg': ['x/a.jpg', '/data/set/x/a.jpg'],
    '../a.jpg': ['../a.jpg', '/data/a.jpg'],
    '/data/set/x/../a.jpg': ['/data/set/a.jpg', 'a.jpg'],
    '/data/a.jpg': ['/data/a.jpg', '../a.jpg'],
    'file:///data/set/a%20b.jpg': ['/data/set/a b.jpg', 'a b.jpg'],
    's3://bucket/a.jpg': ['s3://bucket/a.jpg', undefined],
  };
  for (const [path, [id, alias]] of Object.entries(names)) {
    const found = asLocation(locate(path));
    assert.deepEqual([found.id, found.alias], [id, alias], path);
  }
});

test('locateFrom: refuses what cannot be a path', () => {
  const locate = locateFrom('/data');
  for (const path of ['a\0.jpg', 'data:image/png;base64,AAAA', 'file://elsewhere/a.jpg', 'file:///a%2fb']) {
    assert.match(asReason(locate(path)), /^expected .*, received /, path);
  }
});

test('locateInside: the id is relative to the root and normal', () => {
  const locate = locateInside('/root/sub', 'sub/');
  assert.deepEqual(locate('x/../y//a.jpg'), { id: 'sub/y/a.jpg', uri: '/root/sub/y/a.jpg' });
  assert.deepEqual(locate('..a/b.jpg'), { id: 'sub/..a/b.jpg', uri: '/root/sub/..a/b.jpg' });
});

test('locateInside: nothing outside the folder', () => {
  const locate = locateInside('/root/sub', 'sub/');
  const outside = [
    '../a.jpg',
    'x/../../a.jpg',
    '/etc/passwd',
    '..',
    '.',
    'x/..',
    'file:///etc/passwd',
    'http://a/b.jpg',
    'a\0b',
  ];
  for (const path of outside)
    assert.match(asReason(locate(path)), /^expected the path of a picture inside/, path);
});

function asReason(value: unknown): string {
  assert.ok(typeof value === 'string');
  return value;
}

function asLocation(found: ReturnType<Locate>): Exclude<ReturnType<Locate>, string> {
  assert.ok(typeof found !== 'string', String(found));
  return found;
}
