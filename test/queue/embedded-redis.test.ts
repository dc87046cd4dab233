import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { closeRedis, connectRedis } from '#queue/connection.ts';
import { openEmbeddedRedis } from '#queue/embedded-redis.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { ask, indexFolder, isRunning, open, pathOf, said } from './embedded-fixture.ts';
import { cleanup, until } from './queue-fixture.ts';

const CHILD = fileURLToPath(new URL('./embedded-child.ts', import.meta.url));

/** A process that has the Redis of an index open. */
async function startOpener(
  t: TestContext,
  index: string,
): Promise<ChildProcessByStdio<null, Readable, null>> {
  const child = spawn(process.execPath, [CHILD, index], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanup(t).defer(() => {
    child.kill('SIGKILL');
  });
  await once(child.stdout, 'data');
  return child;
}

describe('openEmbeddedRedis', () => {
  test('is private to the user, in the folder of the index, on no port, with an append-only file', async (t) => {
    const index = await indexFolder(t, 'an index with "é"');
    const redis = await open(t, index);
    const path = pathOf(redis);
    assert.equal(path, join(index, 'redis', 'redis.sock'));
    for (const place of [path, join(index, 'redis')])
      assert.equal((await stat(place)).mode & 0o077, 0, place);
    for (const [name, value] of [
      ['port', '0'],
      ['maxmemory-policy', 'noeviction'],
    ] as const)
      assert.deepEqual(await ask(path, (client) => client.config('GET', name)), [name, value]);
    await ask(path, (client) => client.set('key', 'value'));
    assert.ok((await readdir(join(index, 'redis', 'appendonlydir'))).some((name) => name.endsWith('.aof')));
  });

  test('the last one to leave ends it, and the next one finds the data', async (t) => {
    const index = await indexFolder(t);
    const [first, second] = await Promise.all([openEmbeddedRedis(index), openEmbeddedRedis(index)]);
    const path = pathOf(first);
    assert.equal(pathOf(second), path);
    const runId = await said(path, 'run_id');
    await ask(path, (client) => client.set('key', 'value'));
    await first[Symbol.asyncDispose]();
    assert.equal(await said(path, 'run_id'), runId);
    await second[Symbol.asyncDispose]();
    assert.equal(await isRunning(path), false);
    await open(t, index);
    assert.notEqual(await said(path, 'run_id'), runId);
    assert.equal(await ask(path, (client) => client.get('key')), 'value');
  });

  test('processes share it, in whatever order they come and go', { timeout: 60_000 }, async (t) => {
    const index = await indexFolder(t);
    const path = join(index, 'redis', 'redis.sock');
    const [one, two] = await Promise.all([startOpener(t, index), startOpener(t, index)]);
    const runId = await said(path, 'run_id');
    for (const child of [one, two]) {
      assert.equal(await said(path, 'run_id'), runId);
      child.kill('SIGTERM');
      assert.deepEqual(await once(child, 'exit'), [0, null]);
    }
    assert.equal(await isRunning(path), false);
  });

  test('a process that is killed leaves it running: the next one finds it, and ends it', async (t) => {
    const index = await indexFolder(t);
    const path = join(index, 'redis', 'redis.sock');
    const child = await startOpener(t, index);
    const runId = await said(path, 'run_id');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = await openEmbeddedRedis(index);
    assert.equal(await said(path, 'run_id'), runId);
    await next[Symbol.asyncDispose]();
    assert.equal(await isRunning(path), false);
  });

  test('a server that is killed is started again, with its data, for those who use it', async (t) => {
    const index = await indexFolder(t);
    const redis = await open(t, index);
    const client = await connectRedis(redis.address);
    cleanup(t).defer(() => closeRedis(client));
    for (const value of ['one', 'two']) {
      await client.set(value, value);
      process.kill(Number(await said(pathOf(redis), 'process_id')), 'SIGKILL');
      assert.equal(await client.get(value), value);
    }
    await redis[Symbol.asyncDispose]();
    assert.equal(await isRunning(pathOf(redis)), false);
  });

  test('one that was killed and left its socket and its lock is no hindrance', async (t) => {
    const index = await indexFolder(t);
    const child = await startOpener(t, index);
    const path = join(index, 'redis', 'redis.sock');
    await ask(path, (client) => client.set('key', 'value'));
    const server = Number(await said(path, 'process_id'));
    child.kill('SIGKILL');
    await once(child, 'exit');
    process.kill(server, 'SIGKILL');
    await writeFile(join(index, 'redis', 'lock'), String(child.pid));
    assert.equal((await stat(path)).isSocket(), true);
    const redis = await open(t, index);
    assert.equal(await ask(pathOf(redis), (client) => client.get('key')), 'value');
  });

  test('where the path is too long for a socket, it lies in a folder that only the user may enter', async (t) => {
    const index = await indexFolder(t, join('long'.repeat(30), 'index'));
    const first = await openEmbeddedRedis(index);
    const path = pathOf(first);
    cleanup(t).defer(() => rm(dirname(path), { recursive: true, force: true }));
    assert.ok(path.length < 108, path);
    assert.equal((await stat(dirname(path))).mode & 0o777, 0o700);
    const second = await openEmbeddedRedis(index);
    assert.equal(pathOf(second), path);
    await ask(path, (client) => client.set('key', 'value'));
    for (const redis of [first, second]) await redis[Symbol.asyncDispose]();
    // Anybody could have put a socket into it now.
    await chmod(dirname(path), 0o777);
    const third = await open(t, index);
    cleanup(t).defer(() => rm(dirname(pathOf(third)), { recursive: true, force: true }));
    assert.notEqual(pathOf(third), path);
    assert.equal(await ask(pathOf(third), (client) => client.get('key')), 'value');
  });
});

describe('the program that openEmbeddedRedis starts', () => {
  /** Runs with this as PATH only. */
  async function withPath<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = process.env.PATH;
    process.env.PATH = path;
    return work().finally(() => {
      process.env.PATH = before;
    });
  }

  /** Where redis-server lies. */
  async function findRedis(t: TestContext): Promise<string> {
    const redis = await open(t, await indexFolder(t, 'other'));
    return said(pathOf(redis), 'executable');
  }

  test('is valkey-server where that is the one in PATH', async (t) => {
    const bin = await temporaryFolder(t);
    await symlink(await findRedis(t), join(bin, 'valkey-server'));
    const index = await indexFolder(t);
    const redis = await withPath(`/nowhere:${bin}`, () => open(t, index));
    assert.equal(await said(pathOf(redis), 'executable'), join(bin, 'valkey-server'));
  });

  test('with neither in PATH, it is said what to install', async (t) => {
    const bin = await temporaryFolder(t);
    // Not a program.
    await writeFile(join(bin, 'redis-server'), '');
    const index = await indexFolder(t);
    await assert.rejects(
      withPath(bin, () => openEmbeddedRedis(index)),
      {
        code: 'REDIS_MISSING',
        message:
          /^Cannot start Redis: expected redis-server or valkey-server in PATH, received neither; install one .*apt-get.*REDIS_URL/,
      },
    );
    // Installed, it starts.
    await open(t, index);
  });

  test('that ends at once is told by the end of its log', async (t) => {
    const index = await indexFolder(t);
    const file = join(index, 'redis', 'appendonlydir', 'appendonly.aof.manifest');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, 'no manifest');
    await assert.rejects(openEmbeddedRedis(index), {
      code: 'REDIS_UNREACHABLE',
      message:
        /^Cannot start Redis in ".*": expected a server that answers, received its end \(exit code 1\); the end of ".*redis\.log" says: .+/,
    });
    assert.match(await readFile(join(index, 'redis', 'redis.log'), 'utf8'), /manifest/);
    await rm(dirname(file), { recursive: true });
    await until(
      () => open(t, index).then(() => true),
      (isOpen) => isOpen,
    );
  });
});
