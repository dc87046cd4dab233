import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startSite, tagged } from '../download/picture-site.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPicture, put } from '../pipeline/pictures.ts';
import { ended, startVlmo, vlmo, vlmoJson } from './cli-fixture.ts';
import { startWorker, untilStanding } from './queue-fixture.ts';

const PICTURES = 150;
const MISSING = 5;

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const list = join(folder, 'list.tsv');
const site = await startSite({ after });

/** A list of Conceptual Captions' kind: pictures with a caption each, and some that are not there any more. */
before(async () => {
  const lines: string[] = [];
  for (let n = 0; n < PICTURES; n++) {
    site.answers.set(`/${n}.png`, tagged(await drawPicture(n), `"${n}"`));
    lines.push(`http://${site.host}/${n}.png\tthing ${n}`);
  }
  for (let n = 0; n < MISSING; n++) lines.push(`http://${site.host}/missing${n}.png\tgone ${n}`);
  await put(folder, 'list.tsv', lines.join('\n'));
});

interface Counts {
  readonly stored: number;
  readonly skipped: number;
  readonly failed: number;
  readonly knownFailures: number;
}

const WHOLE = { stored: 2 * PICTURES + MISSING, skipped: 0, failed: MISSING };

function indexArgs(index: string, ...more: readonly string[]): string[] {
  return ['index', list, '--index', index, '--model', MODEL, '--json', '--fetch-allow', site.host, ...more];
}

async function indexed(index: string, ...more: readonly string[]): Promise<Omit<Counts, 'knownFailures'>> {
  const { lines } = await vlmoJson<Counts>(indexArgs(index, ...more), 2);
  const { stored, skipped, failed } = lines[0] as Counts;
  return { stored, skipped, failed };
}

async function failedCodes(index: string): Promise<readonly string[]> {
  const { lines } = await vlmoJson<{ code: string }>(['failures', '--index', index, '--json']);
  return lines.map(({ code }) => code);
}

describe('a list of URLs', { timeout: 200_000 }, () => {
  test('is indexed, and run again without anything sent; hits have the URLs', async () => {
    const index = join(folder, 'direct');
    assert.deepEqual(await indexed(index), WHOLE);
    assert.deepEqual(
      await failedCodes(index),
      Array.from({ length: MISSING }, () => 'DOWNLOAD_NOT_FOUND'),
    );
    site.asked.length = 0;
    assert.deepEqual(await indexed(index), { stored: 0, skipped: WHOLE.stored, failed: MISSING });
    assert.equal(site.asked.length, PICTURES, 'asked by ETag, and nobody for what is missing');
    const search = ['search', 'thing 1', '--index', index, '--json', '-k', '1'];
    const { stdout } = await vlmo(search);
    assert.match(stdout, new RegExp(`"uri":"http://${site.host}/\\d+\\.png"`));
  });

  test('of this machine is not asked without --fetch-allow, and none at all with --fetch-only-allowed', async () => {
    const index = join(folder, 'refused');
    site.asked.length = 0;
    for (const more of [[], ['--fetch-only-allowed']]) {
      const ran = await vlmo(['index', list, '--index', index, '--model', MODEL, '--json', ...more]);
      assert.equal(ran.code, 2, ran.stderr);
      assert.deepEqual([...new Set(await failedCodes(index))], ['URL_REFUSED']);
    }
    assert.deepEqual(site.asked, []);
  });

  test('is whole after kill -9 in the middle of downloads and a rerun; nothing is left behind', async () => {
    const index = join(folder, 'killed');
    const slow = site.answers.get('/120.png');
    for (const moment of [20, 70, 119]) {
      site.asked.length = 0;
      // It never answers: the run is in the middle of its downloads until it is killed.
      site.answers.set('/120.png', () => undefined);
      const child = startVlmo(indexArgs(index, '--fetch-per-host', '4'));
      while (site.asked.length < moment && child.exitCode === null)
        await new Promise((resolve) => setTimeout(resolve, 5));
      child.kill('SIGKILL');
      assert.equal((await ended(child)).signal, 'SIGKILL');
      const left = (await readdir(tmpdir())).filter(
        (name) => name.includes(`-${child.pid}-`) && /fetch|spool|download/.test(name),
      );
      assert.deepEqual(left, []);
    }
    if (slow) site.answers.set('/120.png', slow);
    const { stored, skipped, failed } = await indexed(index);
    assert.deepEqual([stored + skipped, failed], [WHOLE.stored, MISSING]);
    assert.deepEqual(await indexed(index), { stored: 0, skipped: WHOLE.stored, failed: MISSING });
  });

  test('goes through the queue: the worker downloads, by its own options, and tries again what failed', async (t) => {
    await using redis = await startTestRedis();
    const env = { REDIS_URL: redis.url };
    const index = join(folder, 'queued');
    const submit = ['submit', list, '--index', index, '--model', MODEL, '--json'];
    const { lines } = await vlmoJson<{ run: string }>(submit, 0, { env });
    const worker = startWorker(index, env, ['--fetch-allow', site.host]);
    t.after(() => worker.kill('SIGKILL'));
    const done = await untilStanding(index, lines[0]?.run ?? '', env, ({ state }) => state === 'complete');
    assert.deepEqual([done.stored, done.failed], [WHOLE.stored, MISSING]);
    for (let n = 0; n < MISSING; n++)
      site.answers.set(
        `/missing${n}.png`,
        (response) => void drawPicture(n).then((bytes) => response.end(bytes)),
      );
    const again = await vlmoJson<{ run: string }>(['queue', 'retry-failed', '--index', index, '--json'], 0, {
      env,
    });
    const retried = await untilStanding(
      index,
      again.lines[0]?.run ?? '',
      env,
      ({ state }) => state === 'complete',
    );
    assert.deepEqual([retried.stored, retried.failed], [MISSING, 0]);
    for (let n = 0; n < MISSING; n++) site.answers.delete(`/missing${n}.png`);
    worker.kill('SIGTERM');
    assert.equal((await ended(worker)).code, 0);
  });
});
