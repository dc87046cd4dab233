import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { csvFraming } from '#sources/csv-framing.ts';
import { lineFraming } from '#sources/line-framing.ts';
import { type FindFrame, MAX_RECORD_BYTES, readRecords } from '#sources/records.ts';
import { tempFolder } from './temp-folder.ts';

const CSV = { kind: 'csv', delimiter: ',', quoted: true, spaced: false } as const;

interface Read {
  readonly line: number;
  readonly text: string;
  readonly reason: string | undefined;
}

async function read(path: string, framing: FindFrame): Promise<readonly Read[]> {
  const found: Read[] = [];
  for await (const { bytes, records } of readRecords(path, framing)) {
    for (const { line, start, end, reason } of records) {
      found.push({ line, reason, text: bytes.toString('utf8', start, Math.min(end, start + 20)).trimEnd() });
    }
  }
  return found;
}

test('readRecords: gives every line once, wherever the chunks cut', async (t) => {
  const lines = Array.from({ length: 5000 }, (_, index) => `${index}`.padEnd((index * 37) % 300, 'é'));
  const folder = await tempFolder(t, { 'a.jsonl': `\uFEFF${lines.join('\r\n')}` });
  const found: string[] = [];
  let last = 0;
  for await (const { bytes, records, position } of readRecords(join(folder, 'a.jsonl'), lineFraming)) {
    for (const { start, end, line } of records) {
      found.push(bytes.toString('utf8', start, end).trimEnd());
      assert.equal(line, found.length);
    }
    assert.ok(position >= last);
    last = position;
  }
  assert.deepEqual(found, lines);
  assert.equal(last, Buffer.byteLength(lines.join('\r\n')) + 3);
});

test('readRecords: refuses lines over the limit, goes on behind them and never holds one whole', async (t) => {
  const folder = await tempFolder(t);
  const path = join(folder, 'a.jsonl');
  const block = Buffer.alloc(1024 * 1024, 'x');
  await using file = await open(path, 'w');
  await file.write('first\n');
  for (let index = 0; index < 200; index++) await file.write(block);
  await file.write('\nsecond\n');
  for (let index = 0; index < 17; index++) await file.write(block);
  await file.write('\n\nthird\n');
  for (let index = 0; index < 17; index++) await file.write(block);

  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const seen: unknown[] = [];
  for await (const { records } of readRecords(path, lineFraming)) {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    for (const { line, reason } of records) seen.push([line, reason?.replace(/ bytes.*/, '')]);
  }
  const refused = `expected a row of at most ${MAX_RECORD_BYTES}`;
  assert.deepEqual(seen, [
    [1, undefined],
    [2, refused],
    [3, undefined],
    [4, refused],
    [6, undefined],
    [7, refused],
  ]);
  // The buffers of one line while it grows, some not collected yet; the file has 235 MiB.
  assert.ok(most < 160 * 1024 * 1024, `${most} bytes`);
});

test('readRecords: takes a line of just the limit', async (t) => {
  const folder = await tempFolder(t, {
    'a.jsonl': `${'x'.repeat(MAX_RECORD_BYTES - 1)}\n${'y'.repeat(MAX_RECORD_BYTES)}\n`,
  });
  const found = await read(join(folder, 'a.jsonl'), lineFraming);
  assert.deepEqual(
    found.map(({ line, reason }) => [line, reason === undefined]),
    [
      [1, true],
      [2, false],
    ],
  );
});

test('readRecords: a CSV quote left open costs one line, also where the limit comes before the end', async (t) => {
  const rows = `${'r'.repeat(1000)},1\n`.repeat(20_000);
  const folder = await tempFolder(t, { 'a.csv': `a,b\n"open,1\n${rows}last,2\n` });
  const found = await read(join(folder, 'a.csv'), csvFraming(CSV));
  assert.equal(found.length, 20_003);
  assert.deepEqual(
    found.filter(({ reason }) => reason !== undefined).map(({ line, text }) => [line, text]),
    [[2, '"open,1']],
  );
  assert.deepEqual(found.at(-1), { line: 20_003, text: 'last,2', reason: undefined });
});

test('readRecords: is linear in the file when every line leaves a quote open', async (t) => {
  const folder = await tempFolder(t, { 'a.csv': 'a,"b\n'.repeat(300_000) });
  const started = performance.now();
  const found = await read(join(folder, 'a.csv'), csvFraming(CSV));
  assert.equal(found.length, 300_000);
  assert.ok(found.every(({ reason }) => reason !== undefined));
  assert.ok(performance.now() - started < 10_000); // some 0.3 s; were it quadratic, hours
});

test('readRecords: refuses records that are not UTF-8, and only those', async (t) => {
  const content = Buffer.concat([Buffer.from('a\n'), Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from('é\n')]);
  const folder = await tempFolder(t, { 'a.jsonl': content });
  const found = await read(join(folder, 'a.jsonl'), lineFraming);
  assert.deepEqual(
    found.map(({ reason }) => reason),
    [undefined, 'expected UTF-8 text, received other bytes', undefined],
  );
});

test('readRecords: a file that cannot be read is SOURCE_NOT_FOUND', async (t) => {
  const folder = await tempFolder(t);
  await assert.rejects(
    read(join(folder, 'a.jsonl'), lineFraming),
    (error) =>
      error instanceof VlmoError && error.code === 'SOURCE_NOT_FOUND' && error.message.includes('"ENOENT"'),
  );
});
