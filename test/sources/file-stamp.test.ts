import assert from 'node:assert/strict';
import { mkdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { fileStamp } from '#sources/file-stamp.ts';
import { temporaryFolder } from '../fixtures/files.ts';

const LATER = (): number => Date.now() + 10_000;

test('fileStamp changes with content, size and entry, also where size and mtime are put back', async (t) => {
  const file = join(await temporaryFolder(t), 'a.jpg');
  await writeFile(file, 'one');
  const { mtimeNs, ctimeNs } = await stat(file, { bigint: true });
  const first = await fileStamp(file, LATER());
  assert.equal(first, `3 ${mtimeNs} ${ctimeNs}`);
  assert.equal(await fileStamp(pathToFileURL(file).href, LATER()), first);
  await writeFile(file, 'two');
  const { atime, mtime } = await stat(file);
  await utimes(file, atime, mtime);
  const second = await fileStamp(file, LATER());
  assert.notEqual(second, first);
  await rename(file, `${file}.bak`);
  await writeFile(file, 'two');
  await rm(file);
  await rename(`${file}.bak`, file);
  assert.ok((await fileStamp(file, LATER()))?.startsWith('3 '));
});

test('fileStamp is not known of what changed within two seconds, in the future, or is no file of this machine', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'a.jpg');
  await writeFile(file, 'one');
  const { mtimeMs, ctimeMs } = await stat(file);
  const changed = Math.max(mtimeMs, ctimeMs);
  assert.equal(await fileStamp(file, changed + 1990), undefined);
  assert.notEqual(await fileStamp(file, changed + 2010), undefined);
  await utimes(file, new Date(), new Date(Date.now() + 3_600_000));
  assert.equal(await fileStamp(file, LATER()), undefined);
  await mkdir(join(folder, 'b.jpg'));
  for (const other of [join(folder, 'b.jpg'), join(folder, 'none.jpg'), 'https://example.org/a.jpg'])
    assert.equal(await fileStamp(other, LATER()), undefined, other);
});

test('fileStamp finds a file whose accents the disk writes in the other form, as whoever reads it does', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'cafe\u0301.jpg'), 'one');
  assert.ok(await fileStamp(join(folder, 'caf\u00e9.jpg'), LATER()));
});
