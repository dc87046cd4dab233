// Runs alone: it measures.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { put } from '../pipeline/pictures.ts';
import { ended, startVlmo, type Vlmo, vlmoJson } from './cli-fixture.ts';
import { untilCaptions, untilTaking } from './commits.ts';

const MODEL = await importTiny(await temporaryFolder({ after }));

const CAPTIONS = 20_000;
const LARGE = 60;

interface Summary {
  readonly state: string;
  readonly seen: number;
  readonly stored: number;
  readonly skipped: number;
}

async function captionList(folder: string): Promise<string[]> {
  const rows = Array.from({ length: CAPTIONS }, (_, n) => `c${n},a red thing ${n}`);
  await put(folder, 'list.csv', ['id,caption', ...rows].join('\n'));
  return ['index', join(folder, 'list.csv'), '--index', join(folder, 'index'), '--model', MODEL, '--json'];
}

/** Started and in the middle of its work. */
async function startMiddle(folder: string, args: readonly string[]): Promise<Vlmo> {
  const child = startVlmo(args);
  assert.ok(await untilCaptions(join(folder, 'index'), child));
  return child;
}

describe('signals', () => {
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    test(`${name}: what was taken is stored, exit code 130, and a rerun completes`, async (t) => {
      const folder = await temporaryFolder(t);
      const args = await captionList(folder);
      const child = await startMiddle(folder, args);
      child.kill(name);
      const { code, stdout, stderr } = await ended(child);
      assert.equal(code, 130, stderr);
      assert.match(stderr, /Finishing what was begun/);
      const { state, seen, stored } = JSON.parse(stdout) as Summary;
      assert.deepEqual([state, stored], ['interrupted', seen]);
      assert.ok(seen > 0 && seen < CAPTIONS, `${seen}`);
      const [again] = (await vlmoJson<Summary>(args)).lines;
      assert.deepEqual([again?.state, again?.stored, again?.skipped], ['complete', CAPTIONS - seen, seen]);
    });
  }

  test('a second SIGINT ends at once, without a summary, and a rerun completes', async (t) => {
    const folder = await temporaryFolder(t);
    const [list, index] = [join(folder, 'list.csv'), join(folder, 'index')];
    // One batch of large pictures on one thread: what was begun takes seconds.
    const picture = fixture('reference/vlmo-tiny/images/large.jpg');
    const rows = Array.from({ length: LARGE }, (_, n) => `l${n},${picture}`);
    await put(folder, 'list.csv', ['id,image', ...rows].join('\n'));
    const slow = ['--preprocess', 'reference', '--decode-threads', '1', '--batch-size', String(LARGE)];
    const args = ['index', list, '--index', index, '--model', MODEL, '--json', ...slow];
    const child = startVlmo(args);
    assert.ok(await untilTaking(index, child));
    child.kill('SIGINT');
    await Promise.race([once(child.stderr, 'data'), ended(child)]);
    const start = performance.now();
    child.kill('SIGINT');
    const { code, stdout } = await ended(child);
    assert.deepEqual([code, stdout], [130, '']);
    assert.ok(performance.now() - start < 1500, 'it waited for what was begun');
    const [again] = (await vlmoJson<Summary>(args)).lines;
    assert.deepEqual([again?.state, again?.stored], ['complete', LARGE]);
  });
});
