import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { cp, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isBundled, modelFolder, sinceVersion } from '#model/bundled.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { openModel } from '#model/open-model.ts';
import { openIndex } from '#service/open-index.ts';
import { openStore } from '#store/lance/open-store.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName } from '../pipeline/pictures.ts';
import { ended, type Ran, vlmo, vlmoJson } from './cli-fixture.ts';
import { startWorker, untilStanding } from './queue-fixture.ts';
import { readLog } from './queue-suite.ts';

const ROOT = fixture('../..');
/** What a package does not need to run. */
const LEFT = new Set(['node_modules', 'test', 'docs', 'bench', 'training', 'demo', 'models', '.git']);
const folder = await temporaryFolder({ after });
const [pictures, index, tiny] = ['pictures', 'index', 'tiny'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const OTHER = join(folder, 'other-version');

interface Found {
  readonly hits: readonly { readonly id: string; readonly score: number }[];
}

/** A command of the other version of the package, whose bundled model is another one. */
function other(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(OTHER, 'bin/vlmo.js'), ...args],
      { env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, signal: null, stdout, stderr });
      },
    );
  });
}

async function servingOf(place: string) {
  await using opened = await openIndex(place);
  return await opened.serving();
}

/** Has the registry say that the model lay there, as older versions wrote it. */
async function setPlace(place: string, modelPath: string): Promise<void> {
  await using store = await openStore(place, { create: false, write: true });
  for (const record of await store.generations()) await store.openGeneration({ ...record, modelPath });
}

before(async () => {
  await drawPictures(pictures, 0, 6);
  await importTiny(folder);
  await cp(ROOT, OTHER, {
    recursive: true,
    filter: (path) => !LEFT.has(path.slice(ROOT.length).replace(/^\//, '').split('/')[0] ?? ''),
  });
  await symlink(join(ROOT, 'node_modules'), join(OTHER, 'node_modules'));
  await cp(tiny, join(OTHER, 'models/demo'), { recursive: true });
  await vlmoJson(['index', pictures, '--index', index, '--model', 'demo', '--json']);
});

describe('the bundled model', { timeout: 300_000 }, () => {
  test('that of this version is in the table of those that are known, by every preprocessing', async () => {
    const model = await openModel('demo');
    assert.equal(model.path, fixture('../../models/demo'));
    for (const mode of ['fast', 'reference'] as const)
      assert.ok(sinceVersion(await fingerprint(model, mode)), `${mode}: model/bundled.ts names it`);
  });

  test('is stored by its name, also where its folder was named', async (t) => {
    const again = join(await temporaryFolder(t), 'index');
    await vlmoJson(['index', pictures, '--index', again, '--model', modelFolder('demo'), '--json']);
    for (const place of [index, again]) assert.equal((await servingOf(place)).modelPath, 'bundled:demo');
  });

  test('of an older index is found wherever its project lay, by the known fingerprint only', async (t) => {
    const moved = join(await temporaryFolder(t), 'index');
    await cp(index, moved, { recursive: true });
    const search = ['search', 'red', '--index', moved, '--json', '-k', '3'];
    const expected = (await vlmoJson<Found>(search)).lines[0]?.hits.map(({ id, score }) => [id, score]);
    for (const gone of ['/gone/project/models/demo', 'C:\\gone\\models\\demo']) {
      await setPlace(moved, gone);
      assert.ok(isBundled(await servingOf(moved)));
      const { lines } = await vlmoJson<Found>(search);
      assert.deepEqual(
        lines[0]?.hits.map(({ id, score }) => [id, score]),
        expected,
      );
    }
    assert.equal(isBundled({ modelPath: '/gone/models/demo', fingerprint: 'ab'.repeat(32) }), false);
    assert.equal(isBundled({ ...(await servingOf(index)), modelPath: '/gone/my-models/demo' }), false);
    // The next run writes the name down.
    await vlmoJson(['index', pictures, '--index', moved, '--json']);
    assert.equal((await servingOf(moved)).modelPath, 'bundled:demo');
  });

  test('of another version never meets the vectors of this one; the next run builds a new generation', async () => {
    const before = await servingOf(index);
    for (const more of [[], ['--model', 'demo']]) {
      const refused = await other(['search', 'red', '--index', index, ...more]);
      assert.equal(refused.code, 1, refused.stderr);
      assert.match(refused.stderr, /of vlmo-pipeline 0\.2\.0 and later, .* \[MODEL_CHANGED\]\n$/);
      assert.ok(refused.stderr.includes(`--index ${index} --collection default --model demo`));
    }
    const stored = await other(['search', '--id', pictureName(0), '--index', index]);
    assert.equal(stored.code, 0, `needs no model: ${stored.stderr}`);

    const built = await other(['index', pictures, '--index', index, '--json']);
    assert.equal(built.code, 0, built.stderr);
    assert.equal(built.stderr.match(/is another one than that of collection "default"/g)?.length, 1);
    assert.equal((JSON.parse(built.stdout) as { stored: number }).stored, 6);
    const after = await servingOf(index);
    assert.notEqual(after.name, before.name);
    assert.equal((await other(['search', 'red', '--index', index])).code, 0);

    const here = await vlmo(['search', 'red', '--index', index]);
    assert.match(here.stderr, /of a version that this one does not know, .* \[MODEL_CHANGED\]/);
  });

  test('a worker of another version answers no search by it, and says why', async () => {
    await using redis = await startTestRedis();
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    const env = { REDIS_URL: redis.url };
    const worker = startWorker(index, env, ['--device', 'cpu']);
    await readLog(worker).until('taking jobs');
    const asked = await vlmo(['search', 'red', '--index', index, '--queued'], { env });
    worker.kill('SIGTERM');
    await ended(worker);
    assert.equal(asked.code, 1);
    assert.match(asked.stderr, /of a version that this one does not know, .* \[MODEL_CHANGED\]/);
  });

  test('a worker of another version puts its chunks off, and one of the right version does them', async (t) => {
    await using redis = await startTestRedis();
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    const env = { REDIS_URL: redis.url };
    const queued = join(await temporaryFolder(t), 'index');
    const args = ['submit', pictures, '--index', queued, '--model', 'demo', '--json'];
    const submitted = await other(args, env);
    assert.equal(submitted.code, 0, submitted.stderr);
    const { run } = JSON.parse(submitted.stdout) as { run: string };
    const wrong = startWorker(queued, env, ['--device', 'cpu']);
    const { msg } = await readLog(wrong).until('put off');
    assert.match(String(msg), /expected the bundled model .* of a version that this one does not know/);
    wrong.kill('SIGTERM');
    await ended(wrong);
    const right = spawn(process.execPath, [join(OTHER, 'bin/vlmo.js'), 'worker', '--index', queued], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    t.after(() => right.kill('SIGKILL'));
    const { stored, failed } = await untilStanding(queued, run, env, ({ state }) => state === 'complete');
    assert.deepEqual([stored, failed], [6, 0]);
  });

  test('of another version is refused by an opened index too, as a worker opens it', async () => {
    await using opened = await openIndex(index);
    for (const call of [opened.search({ text: 'red' }), opened.embed({ texts: ['red'] }), opened.warm()])
      await assert.rejects(call, { code: 'MODEL_CHANGED' });
  });
});

test('vlmo model relocate: the model that moved is taken, another refused', async (t) => {
  const place = await temporaryFolder(t);
  const [own, moved, made] = ['own', 'moved', 'index'].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  await cp(tiny, own, { recursive: true });
  await vlmoJson(['index', pictures, '--index', made, '--model', own, '--json']);
  await rename(own, moved);
  const gone = await vlmo(['search', 'red', '--index', made]);
  assert.match(gone.stderr, /vlmo model relocate FOLDER --index .*\[MODEL_NOT_FOUND\]/);

  const refused = await vlmo(['model', 'relocate', 'demo', '--index', made]);
  assert.equal(refused.code, 1);
  const digest = (await servingOf(made)).fingerprint.slice(0, 12);
  assert.match(
    refused.stderr,
    new RegExp(`expected "own", ${digest} .*received "demo".*SEARCH_MODEL_MISMATCH`),
  );
  assert.equal((await servingOf(made)).modelPath, own);

  const { lines } = await vlmoJson<{ model: string }>([
    'model',
    'relocate',
    moved,
    '--index',
    made,
    '--json',
  ]);
  assert.deepEqual(
    lines.map(({ model }) => model),
    [moved],
  );
  assert.equal((await vlmo(['search', 'red', '--index', made])).code, 0);
  await rm(moved, { recursive: true });
});
