import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createPictureCount } from '#sources/picture-count.ts';
import { tempFolder } from './temp-folder.ts';

test('createPictureCount: counts pictures of all folders when stepped often enough, and only then', async (t) => {
  const names = Array.from({ length: 50 }, (_, index) => [`${index}/a.jpg`, ''] as const);
  const folder = await tempFolder(t, {
    ...Object.fromEntries(names),
    'b.txt': '',
    '.c.jpg': '',
    'd.jpg/e.png': '',
  });
  const count = createPictureCount(folder);
  let steps = 0;
  for (; count.total === undefined && steps < 100_000; steps++) {
    count.step();
    await turn();
  }
  assert.equal(count.total, 51);
});

test('createPictureCount: stop leaves it unknown', async (t) => {
  const count = createPictureCount(await tempFolder(t, { 'a.jpg': '' }));
  count.step();
  count.stop();
  count.step();
  await turn();
  assert.equal(count.total, undefined);
});
