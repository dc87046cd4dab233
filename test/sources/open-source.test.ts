import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type ErrorCode, VlmoError } from '#errors.ts';
import { openSource } from '#sources/open-source.ts';
import { collect, ids, tempFolder } from './temp-folder.ts';

function refusal(code: ErrorCode, part: string) {
  return (error: unknown) =>
    error instanceof VlmoError &&
    error.code === code &&
    /^Cannot \w+ .*: expected .*, received ".*"$/.test(error.message) &&
    error.message.includes(part);
}

test('openSource: the uri is absolute, also for relative paths and file URLs', async (t) => {
  const folder = await tempFolder(t, { 'a.jsonl': '' });
  assert.equal((await openSource(relative(process.cwd(), folder))).uri, folder);
  assert.equal((await openSource(pathToFileURL(join(folder, 'a.jsonl')).href)).uri, join(folder, 'a.jsonl'));
});

test('openSource: takes endings of manifests in any case', async (t) => {
  const folder = await tempFolder(t, { 'A.CSV': 'image\na.jpg\n', 'b.ndjson': '{"image":"b.jpg"}' });
  assert.deepEqual(ids((await collect(join(folder, 'A.CSV'))).items), ['a.jpg']);
  assert.deepEqual(ids((await collect(join(folder, 'b.ndjson'))).items), ['b.jpg']);
});

test('openSource: refuses what is not there', async (t) => {
  const folder = await tempFolder(t, { 'a.csv': 'image\n' });
  await assert.rejects(openSource(join(folder, 'no')), refusal('SOURCE_NOT_FOUND', 'nothing at that path'));
  await assert.rejects(
    openSource(join(folder, 'a.csv/x')),
    refusal('SOURCE_NOT_FOUND', 'nothing at that path'),
  );
});

test('openSource: refuses what it cannot read, by its ending or kind', async (t) => {
  const folder = await tempFolder(t, { 'a.pdf': '', 'a.parquet': '', a: '', 'words.txt': 'a red apple\n' });
  await assert.rejects(openSource(join(folder, 'words.txt')), refusal('SOURCE_UNSUPPORTED', '--format'));
  await assert.rejects(openSource(join(folder, 'a.pdf')), refusal('SOURCE_UNSUPPORTED', 'received ".pdf"'));
  await assert.rejects(
    openSource(join(folder, 'a.parquet')),
    /expected a Parquet file, received another one/,
  );
  await assert.rejects(openSource(join(folder, 'a')), refusal('SOURCE_UNSUPPORTED', 'without an ending'));
  await assert.rejects(
    openSource('https://example.org/a.csv'),
    refusal('SOURCE_UNSUPPORTED', 'received "a URL"'),
  );
  await assert.rejects(openSource(''), refusal('SOURCE_UNSUPPORTED', 'received "an empty path"'));
  if (process.platform === 'win32') return;
  execFileSync('mkfifo', [join(folder, 'pipe.csv')]);
  await assert.rejects(openSource(join(folder, 'pipe.csv')), refusal('SOURCE_UNSUPPORTED', 'neither a file'));
});
