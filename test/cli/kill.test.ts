import assert from 'node:assert/strict';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { seededRandom, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import { ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { countCommits, untilCommits } from './commits.ts';
import { assertSame, KINDS, readTables } from './tables.ts';

const PICTURES = 300;
const CAPTIONS = 12;
const BROKEN = 10;
const ITEMS = PICTURES * (1 + CAPTIONS) + 4 * BROKEN;
const KILLS = 8;
/** Commits of an undisturbed run, about: the tables, the run, some thousand rows, the failures, the tidying. */
const COMMITS = 20;

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const source = join(folder, 'source', 'list.jsonl');

function indexArgs(index: string): string[] {
  return ['index', source, '--index', index, '--model', MODEL, '--json'];
}

/** Pictures with captions; pictures that are none, are not there or are addresses; lines that are no JSON. */
before(async () => {
  await drawPictures(join(folder, 'source'), 0, PICTURES);
  const lines: string[] = [];
  for (let n = 0; n < PICTURES; n++) {
    const captions = Array.from({ length: CAPTIONS }, (_, c) => `red ${n} thing ${c}`);
    lines.push(JSON.stringify({ image: pictureName(n), captions, n }));
    if (n % (PICTURES / BROKEN) !== 0) continue;
    await put(join(folder, 'source'), `broken${n}.png`, `no picture ${n}`);
    for (const image of [`broken${n}.png`, `ftp://example.org/${n}.png`, `missing${n}.png`])
      lines.push(JSON.stringify({ image }));
    lines.push(`{ not JSON ${n}`);
  }
  await writeFile(source, lines.join('\n'));
});

describe('kill -9', () => {
  test('at any moment, and a rerun ends with the records of an undisturbed run', async () => {
    const [undisturbed, index] = [join(folder, 'undisturbed'), join(folder, 'index')];
    const first = await vlmoJson<{ stored: number; failed: number }>(indexArgs(undisturbed), 2);
    assert.deepEqual(
      [first.lines[0]?.stored, first.lines[0]?.failed],
      [PICTURES * (1 + CAPTIONS), 4 * BROKEN],
    );
    const expected = await readTables(undisturbed);
    assert.deepEqual(
      KINDS.map((kind) => expected[kind].length),
      [PICTURES, PICTURES * CAPTIONS, 4 * BROKEN],
    );

    const random = seededRandom(9);
    const killed: number[] = [];
    for (let attempt = 0; killed.length < KILLS; attempt++) {
      assert.ok(attempt < 4 * KILLS, `only ${killed.length} kills came before the end of a run`);
      const child = startVlmo(indexArgs(index));
      const moment = countCommits(index) + Math.floor(random() * COMMITS);
      if (await untilCommits(index, moment, child)) await setTimeout(random() * 60);
      child.kill('SIGKILL');
      const { signal, code, stderr } = await ended(child);
      if (signal === 'SIGKILL') {
        killed.push(child.pid ?? 0);
        continue;
      }
      // This one was done before: compare, and begin anew.
      assert.equal(code, 2, stderr);
      assertSame(await readTables(index), expected);
      await rm(index, { recursive: true });
    }

    assert.equal((await vlmo(indexArgs(index))).code, 2);
    assertSame(await readTables(index), expected);
    const { lines } = await vlmoJson<Record<string, unknown>>(indexArgs(index), 2);
    const { seen, stored, skipped, failed } = lines[0] ?? {};
    assert.deepEqual([seen, stored, skipped, failed], [ITEMS, 0, PICTURES * (1 + CAPTIONS), 4 * BROKEN]);
    const leftovers = (await readdir('/dev/shm')).filter((name) =>
      killed.some((pid) => name.includes(`-${pid}-`)),
    );
    assert.deepEqual(leftovers, [], 'weights that a killed process had in memory');
  });
});
