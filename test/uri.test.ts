import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { absoluteUri, filePath, schemeOf, shownName, uriInside } from '#uri.ts';

const LATIN1 = Buffer.from([0x63, 0x61, 0x66, 0xe9]);

test('schemeOf: a URL has one, a path and a drive have none', () => {
  assert.equal(schemeOf('HTTPS://example.org'), 'https');
  assert.equal(schemeOf('s3://bucket/key'), 's3');
  for (const path of ['/a/b', 'a:b', 'C:\\a', 'c://a', 'http:/a', ''])
    assert.equal(schemeOf(path), undefined);
});

test('absoluteUri: paths become absolute, URLs stay', () => {
  assert.equal(absoluteUri('a/../b.jpg'), resolve('b.jpg'));
  assert.equal(absoluteUri('file:///a%20b'), 'file:///a%20b');
});

test('uriInside: plain where every byte is text, else a file URL that filePath gives back', () => {
  assert.equal(uriInside('/a', 'b%.jpg'), '/a/b%.jpg');
  assert.equal(uriInside('/', 'b'), '/b');
  const odd = uriInside('/ü %/x?#', LATIN1);
  assert.equal(odd, 'file:///%C3%BC%20%25/x%3F%23/caf%E9');
  assert.deepEqual(filePath(odd), Buffer.concat([Buffer.from('/ü %/x?#/'), LATIN1]));
  const below = uriInside(odd, 'ü a.jpg');
  assert.equal(below, `${odd}/%C3%BC%20a.jpg`);
  assert.deepEqual(
    filePath(below),
    Buffer.concat([Buffer.from('/ü %/x?#/'), LATIN1, Buffer.from('/ü a.jpg')]),
  );
});

test('filePath: a path is what it is, a file URL is decoded, nothing else is a file', () => {
  assert.equal(filePath('/a%20b'), '/a%20b');
  assert.equal(filePath('file:///a%20b'), '/a b');
  for (const url of ['https://a/b', 'file://elsewhere/a', 'file:///a%2Fb', 'file:///a%00b'])
    assert.throws(() => filePath(url), TypeError, url);
});

test('shownName: bytes that are no UTF-8 are percent-encoded, text is as it is', () => {
  assert.equal(shownName(LATIN1), 'caf%E9');
  assert.equal(shownName(Buffer.from([0xff, ...Buffer.from('日é%🎨'), 0xc3])), '%FF日é%🎨%C3');
  assert.equal(shownName('a%E9'), 'a%E9');
});
