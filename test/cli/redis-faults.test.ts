import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis, type TestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { startSentinel, startTcpRedis } from '../queue/tcp-redis.ts';
import { ended, startVlmo, vlmo } from './cli-fixture.ts';
import { FAILED, ITEMS, type Standing, startWorker, untilStanding, writeSource } from './queue-fixture.ts';
import { readLog, until } from './queue-suite.ts';
import { assertSame, readTables, type Tables } from './tables.ts';

const folder = await temporaryFolder({ after });
const MODEL = await importTiny(folder);
const DRAIN_SECONDS = 2;
let source: string;
let expected: Tables;

before(async () => {
  source = await writeSource(join(folder, 'source'));
  const undisturbed = join(folder, 'undisturbed');
  await vlmo(['index', source, '--index', undisturbed, '--model', MODEL]);
  expected = await readTables(undisturbed);
});

/** A connection between client and server that can swallow everything, without an end. */
interface Proxy extends AsyncDisposable {
  readonly port: number;
  swallow(isSwallowing: boolean): void;
}

async function startProxy(path: string): Promise<Proxy> {
  let isSwallowing = false;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = dial(path);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (piece: Buffer) => void (isSwallowing || to.write(piece)));
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return {
    port: address.port,
    swallow(now) {
      isSwallowing = now;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

interface Fault {
  begin(redis: TestRedis, proxy: Proxy): unknown;
  end(redis: TestRedis, proxy: Proxy): unknown;
  /** What the log of a worker says of it. */
  readonly log: RegExp;
  /** What `vlmo status --json` says of Redis meanwhile. */
  readonly status: string;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'swallowing everything': {
    begin: (_, proxy) => proxy.swallow(true),
    end: (_, proxy) => proxy.swallow(false),
    log: /timed? ?out/i,
    status: 'unreachable',
  },
  full: {
    begin: ({ client }) => client.config('SET', 'maxmemory', '1'),
    end: ({ client }) => client.config('SET', 'maxmemory', '0'),
    log: /OOM/,
    status: 'full',
  },
  'a replica for a while': {
    begin: ({ client }) => client.call('REPLICAOF', '127.0.0.1', '1'),
    end: ({ client }) => client.call('REPLICAOF', 'NO', 'ONE'),
    log: /READONLY/,
    status: 'read-only',
  },
};

/** Seconds after a fault within which everything is done. */
const LIMIT_SECONDS = 120;

describe('Redis in the middle of a run', { timeout: 900_000 }, () => {
  for (const [name, fault] of Object.entries(FAULTS))
    test(`${name}: no job fails, a worker that is told to ends in time, and the run has every row`, (t) =>
      disturb(t, fault));

  test('failing over under Sentinel: the same', failOver);
});

async function disturb(t: TestContext, fault: Fault): Promise<void> {
  await using redis = await startTestRedis();
  await using proxy = await startProxy(redis.address.kind === 'socket' ? redis.address.path : '');
  const env = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
  await using work = await beginWork(t, env, 2);
  const [goesOn, isTold] = work.workers as [Worker, Worker];
  await fault.begin(redis, proxy);
  const standing = vlmo(['status', work.run, '--index', work.index, '--json'], { env });
  await setTimeout(3000);
  const begun = performance.now();
  isTold.child.kill('SIGTERM');
  const { code, signal } = await ended(isTold.child);
  const seconds = (performance.now() - begun) / 1000;
  assert.deepEqual([code, signal], [0, null]);
  assert.ok(seconds < DRAIN_SECONDS + 5, `it ended after ${seconds} seconds`);
  const said = await standing;
  assert.equal(said.code, 0, said.stderr);
  assert.equal((JSON.parse(said.stdout) as { redis: string }).redis, fault.status);
  await setTimeout(8000);
  assert.match(goesOn.log.lines.filter((line) => line.includes('waiting for it')).join('\n'), fault.log);
  await fault.end(redis, proxy);
  await work.isDone();
}

async function failOver(t: TestContext): Promise<void> {
  const master = await startTcpRedis(t);
  const replica = await startTcpRedis(t, () => ['--replicaof', `127.0.0.1 ${master.port}`]);
  const sentinel = await startSentinel(t, 'the-master', master.port);
  await using toSentinel = openClient(sentinel.port);
  await until(
    async () => inspect(await toSentinel.client.call('SENTINEL', 'replicas', 'the-master')),
    (replicas) => replicas.includes(`${replica.port}`),
  );
  const env = { REDIS_URL: `redis-sentinel://127.0.0.1:${sentinel.port}/the-master` };
  await using work = await beginWork(t, env, 1);
  await master.kill9();
  await work.isDone();
}

function openClient(port: number): AsyncDisposable & { readonly client: Redis } {
  const client = new Redis({ port });
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() };
}

interface Worker {
  readonly child: ReturnType<typeof startWorker>;
  readonly log: ReturnType<typeof readLog>;
}

interface Work extends AsyncDisposable {
  readonly index: string;
  readonly run: string;
  readonly workers: readonly Worker[];
  /** Holds that the command that waits ends in time, with each row once, and that no job failed. */
  isDone(): Promise<void>;
}

/** `submit --wait` and its workers, in the middle of it. */
async function beginWork(
  t: TestContext,
  env: Readonly<Record<string, string>>,
  count: number,
): Promise<Work> {
  const index = join(await temporaryFolder(t), 'index');
  await using stack = new AsyncDisposableStack();
  const args = ['--index', index, '--model', MODEL, '--chunk-items', '16', '--json'];
  const submit = startVlmo(['submit', source, ...args, '--wait'], { env });
  const children: ReturnType<typeof startVlmo>[] = [submit];
  stack.defer(async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map(ended));
  });
  const [{ run }] = (await until(
    async () => {
      const ran = await vlmo(['status', '--index', index, '--json'], { env });
      return ran.stdout === '' ? [] : [JSON.parse(ran.stdout.split('\n')[0] ?? '') as Standing];
    },
    ([first]) => (first?.seen ?? 0) === ITEMS,
  )) as [Standing];
  const workers = Array.from({ length: count }, () => {
    const child = startWorker(index, env, ['--drain-timeout', String(DRAIN_SECONDS)]);
    children.push(child);
    return { child, log: readLog(child) };
  });
  await Promise.all(workers.map(({ log }) => log.until('taking jobs')));
  await untilStanding(index, run, env, ({ stored, waiting }) => stored > 0 && waiting > 0);
  const moved = stack.move();
  return {
    ...{ index, run, workers },
    async isDone() {
      const end = performance.now();
      const done = await untilStanding(index, run, env, ({ state }) => state === 'complete', LIMIT_SECONDS);
      const { code, stderr } = await ended(submit);
      const seconds = Math.round((performance.now() - end) / 1000);
      t.diagnostic(`complete ${seconds} seconds after the fault`);
      assert.ok(seconds < LIMIT_SECONDS, `it ended ${seconds} seconds after the fault`);
      assert.equal(code, 2, stderr);
      assert.deepEqual([done.seen, done.stored + done.skipped, done.failed], [ITEMS, ITEMS - FAILED, FAILED]);
      assertSame(await readTables(index), expected);
      for (const { log } of workers)
        assert.deepEqual(
          log.lines.filter((line) => line.includes('failed for good')),
          [],
        );
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
