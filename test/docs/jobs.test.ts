import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { bullOptions, CHUNKS, KEEP, openQueues, QUERIES } from '#queue/bull-queues.ts';
import { chunkJobId, parseChunkJob, parseQueryJob, parseRetrievalJob } from '#queue/job.ts';
import { createProducer, PRIORITIES } from '#queue/producer.ts';
import { openStore } from '#store/lance/open-store.ts';
import { jobSchemas, withSchemas } from '../../scripts/job-schemas.ts';
import { ended, startVlmo, vlmoJson } from '../cli/cli-fixture.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName } from '../pipeline/pictures.ts';

const ROOT = fixture('../..');
const doc = await readFile(join(ROOT, 'docs/jobs.md'), 'utf8');

/** The code blocks of a language below a heading, up to the next heading. */
function blocks(heading: string, language: string): string[] {
  const [, section = ''] = doc.split(new RegExp(`^#+ ${heading}$`, 'm'));
  const [own = ''] = section.split(/^#/m);
  return [...own.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, code = '']) => code,
  );
}

function json(heading: string): unknown[] {
  return blocks(heading, 'json').map((code) => JSON.parse(code) as unknown);
}

/** The cells of the row that begins so. */
function row(first: string): string[] {
  const line = doc.split('\n').find((one) => one.startsWith(`| ${first} `)) ?? '';
  return line.split('|').map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1'));
}

describe('docs/jobs.md', () => {
  test('its schemas are those of queue/job.ts (node scripts/job-schemas.ts puts them in)', () => {
    assert.equal(withSchemas(doc, jobSchemas()), doc);
    for (const [heading, schema] of jobSchemas()) assert.deepEqual(json(heading), [schema]);
  });

  test('its example of a chunk job is taken', () => {
    const examples = json('Chunk jobs');
    assert.equal(examples.length, 1);
    for (const example of examples) assert.equal(parseChunkJob(example).items.length, 2);
  });

  test('its examples of query jobs are taken', () => {
    assert.deepEqual(
      json('Query jobs').map((example) => parseQueryJob(example).kind),
      ['search', 'embed'],
    );
  });

  test('its examples of retrieval jobs are taken', () => {
    assert.deepEqual(
      json('Retrieval jobs').map((example) => parseRetrievalJob(example).kind),
      ['retrieve', 'pairs'],
    );
  });

  test('what it says the schema cannot say is refused', () => {
    for (const parts of [
      {},
      { text: 'a', texts: [{ text: 'b' }] },
      { id: 'a', text: 'b' },
      { text: 'a', imageWeight: 2 },
      { text: 'a', minMatch: 0.5 },
    ])
      assert.throws(() => parseQueryJob({ kind: 'search', ...parts }), { code: 'JOB_INVALID' });
    for (const parts of [{}, { texts: ['a'], image: '/a.png' }])
      assert.throws(() => parseQueryJob({ kind: 'embed', ...parts }), { code: 'JOB_INVALID' });
  });

  test('its example of a reason is one', () => {
    const [said = ''] = blocks('What fails', 'text');
    const wrong = { items: [{ kind: 'image', id: 'apple' }] };
    const [message] = said.trim().split(/ (?=\[JOB_INVALID\]$)/);
    assert.throws(() => parseChunkJob(wrong), { code: 'JOB_INVALID', message });
  });

  test('names, prefix, priorities and what is kept are those of the code', async (t) => {
    await using redis = await startTestRedis();
    const queues = openQueues(redis.client, 'INDEX-ID');
    t.after(() => queues.close());
    assert.deepEqual(row('queue').slice(2, 4), [CHUNKS, row('queue')[3]]);
    assert.ok(row('queue')[3]?.startsWith(`\`${QUERIES}\``));
    const { prefix } = bullOptions(redis.client, 'INDEX-ID');
    assert.deepEqual(row('key prefix').slice(2, 4), [prefix, prefix]);
    const chunks = PRIORITIES.map((priority) => ({
      ...{ id: priority, priority },
      job: parseChunkJob({ items: [{ kind: 'image', id: 'a', uri: '/a.png' }] }),
    }));
    await createProducer(queues, 10).add(chunks, new AbortController().signal);
    for (const priority of PRIORITIES) {
      const job = await queues.chunks.getJob(priority);
      assert.equal(job?.name, 'chunk');
      assert.ok(row('`priority`')[2]?.includes(`${job?.opts.priority} ${priority}`), priority);
    }
    const { chunks: ofChunks, queries: ofQueries } = KEEP;
    assert.deepEqual(ofChunks.removeOnComplete, { age: 3600, count: 1000 });
    assert.deepEqual(ofQueries.removeOnComplete, { age: 60, count: 1000 });
    assert.deepEqual([ofChunks.removeOnFail.age, ofQueries.removeOnFail.age], [30 * 86_400, 3600]);
    assert.deepEqual(row('kept after').slice(2, 4), [
      '1,000 jobs, an hour; failed 30 days',
      '1,000 jobs, a minute; failed an hour',
    ]);
  });

  test('its example adds a picture, which a worker stores and finds', async (t) => {
    const folder = await temporaryFolder(t);
    const [index, pictures] = [join(folder, 'index'), join(folder, 'pictures')];
    await drawPictures(pictures, 0, 3);
    const model = await importTiny(folder);
    await vlmoJson(['index', pictures, '--index', index, '--model', model, '--json']);
    await using redis = await startTestRedis();
    const worker = startVlmo(['worker', '--index', index, '--device', 'cpu'], {
      env: { REDIS_URL: redis.url },
    });
    try {
      const picture = join(pictures, pictureName(1));
      const lines = await runExample([index, picture, 'red thing'], redis.url.replace('unix://', ''));
      const [tally, answer] = lines as [object, { hits: object[] }];
      const [, ...back] = json('What comes back');
      assert.deepEqual(tally, json('What comes back')[0]);
      const [shown] = back as [typeof answer];
      assert.deepEqual(Object.keys(answer), Object.keys(shown));
      assert.deepEqual(Object.keys(answer.hits[0] ?? {}), Object.keys(shown.hits[0] ?? {}));
      await using store = await openStore(index, { create: false });
      const queues = openQueues(redis.client, store.id);
      t.after(() => queues.close());
      const [job] = await queues.chunks.getCompleted();
      assert.equal(job?.id, chunkJobId(JSON.stringify(job?.data)), 'the id that vlmo would give it');
      assert.deepEqual(job?.progress, { items: 2, ...tally });
      assert.deepEqual(answer.hits[0], { ...answer.hits[0], id: picture, caption: 'red thing' });
    } finally {
      worker.kill('SIGTERM');
      await ended(worker);
    }
  });
});

/** Runs the program of the doc as it stands there, and gives the JSON lines that it prints. */
async function runExample(args: readonly string[], redisUrl: string): Promise<unknown[]> {
  const [program = ''] = blocks('Example', 'js');
  const child = spawn(process.execPath, ['--input-type=module', '-', ...args], {
    ...{ cwd: ROOT, env: { ...process.env, REDIS_URL: redisUrl } },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(program);
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  assert.equal(code, 0);
  const lines = printed.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as unknown);
}
