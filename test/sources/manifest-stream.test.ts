// Runs alone: it measures.
import assert from 'node:assert/strict';
import { open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { openSource } from '#sources/open-source.ts';
import { tempFolder } from './temp-folder.ts';

const ROWS = 1_000_000;

const formats = {
  'm.jsonl': {
    header: '',
    row: (n: number) => `{"image":"pictures/${n}.jpg","caption":"a dog, number ${n}","score":0.5}\n`,
  },
  'm.csv': {
    header: 'image,caption,score\n',
    row: (n: number) => `pictures/${n}.jpg,"a dog, number ${n}",0.5\n`,
  },
} as const;

async function write(t: TestContext, name: keyof typeof formats, rows: number): Promise<string> {
  const path = join(await tempFolder(t), name);
  await using file = await open(path, 'w');
  await file.write(formats[name].header);
  for (let from = 0; from < rows; from += 10_000) {
    await file.write(Array.from({ length: 10_000 }, (_, index) => formats[name].row(from + index)).join(''));
  }
  return path;
}

/** How often this process has the file open; undefined where that cannot be told. */
async function openHandles(path: string): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  return links.filter((link) => link === path).length;
}

for (const name of ['m.jsonl', 'm.csv'] as const) {
  test(`${name}: a million rows start at once and stream in flat memory`, async (t) => {
    const path = await write(t, name, ROWS);
    const started = performance.now();
    const source = await openSource(path);
    let count = 0;
    let base = 0;
    let growth = 0;
    for await (const item of source.items()) {
      assert.notEqual(item.kind, 'broken');
      // The whole file takes seconds.
      if (count === 0) assert.ok(performance.now() - started < 500, 'the first item is late');
      count++;
      if (count === 400_000) base = process.memoryUsage.rss();
      if (count > 400_000 && count % 50_000 === 0)
        growth = Math.max(growth, process.memoryUsage.rss() - base);
    }
    assert.equal(count, 2 * ROWS);
    // The table of pictures grows by some 30 MiB, the rest is garbage; the items of 800,000 rows would take 500.
    assert.ok(growth < 200 * 1024 * 1024, `${growth} bytes more`);
    const seconds = (performance.now() - started) / 1000;
    t.diagnostic(
      `${Math.round(count / seconds)} items/s, ${Math.round(growth / 2 ** 20)} MiB more from 200,000 to 1,000,000 rows`,
    );
  });

  test(`${name}: reads no further than it is asked to, and closes the file when left`, async (t) => {
    const path = await write(t, name, 50_000);
    const source = await openSource(path);
    assert.notEqual(await openHandles(path), 1);
    const items = source.items()[Symbol.asyncIterator]();
    await items.next();
    const after = source.fraction() ?? 1;
    for (let turns = 0; turns < 100; turns++) await turn();
    assert.equal(source.fraction(), after);
    assert.ok(after < 0.05);
    assert.notEqual(await openHandles(path), 0);
    await items.return?.();
    assert.notEqual(await openHandles(path), 1);
  });
}
