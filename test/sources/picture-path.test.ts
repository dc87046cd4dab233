import assert from 'node:assert/strict';
import { test } from 'node:test';
import { locateFrom, locateInside } from '#sources/picture-path.ts';

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
  for (const [path, uri] of Object.entries(uris)) assert.deepEqual(locate(path), { id: path, uri });
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
