import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { ended, vlmo, vlmoJson } from './cli-fixture.ts';
import { FAILED, ITEMS, startWorker, untilStanding, writeSource } from './queue-fixture.ts';
import { readLog } from './queue-suite.ts';
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
  begin(proxy: Proxy): void;
  end(proxy: Proxy): void;
  /** What the log of a worker says of it. */
  readonly log: RegExp;
  /** What `vlmo status --json` says of Redis meanwhile. */
  readonly status: string;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  'swallowing everything': {
    begin: (proxy) => proxy.swallow(true),
    end: (proxy) => proxy.swallow(false),
    log: /timed? ?out/i,
    status: 'unreachable',
  },
};

describe('Redis in the middle of a run', { timeout: 600_000 }, () => {
  for (const [name, fault] of Object.entries(FAULTS))
    test(`${name}: no job fails, a worker that is told to ends in time, and the run has every row`, (t) =>
      disturb(t, fault));
});

async function disturb(t: TestContext, fault: Fault): Promise<void> {
  await using redis = await startTestRedis();
  await using proxy = await startProxy(redis.address.kind === 'socket' ? redis.address.path : '');
  const index = join(await temporaryFolder(t), 'index');
  const env = { REDIS_URL: `redis://127.0.0.1:${proxy.port}` };
  const submit = ['submit', source, '--index', index, '--model', MODEL, '--chunk-items', '16', '--json'];
  const run = (await vlmoJson<{ run: string }>(submit, 0, { env })).lines[0]?.run ?? '';
  const [goesOn, isTold] = [1, 2].map(() =>
    startWorker(index, env, ['--drain-timeout', String(DRAIN_SECONDS)]),
  ) as [ReturnType<typeof startWorker>, ReturnType<typeof startWorker>];
  try {
    const log = readLog(goesOn);
    await Promise.all([log.until('taking jobs'), readLog(isTold).until('taking jobs')]);
    await untilStanding(index, run, env, ({ stored, waiting }) => stored > 0 && waiting > 0);
    fault.begin(proxy);
    const standing = vlmo(['status', run, '--index', index, '--json'], { env });
    await setTimeout(3000);
    const begun = performance.now();
    isTold.kill('SIGTERM');
    const { code, signal } = await ended(isTold);
    const seconds = (performance.now() - begun) / 1000;
    assert.deepEqual([code, signal], [0, null]);
    assert.ok(seconds < DRAIN_SECONDS + 5, `it ended after ${seconds} seconds`);
    const said = await standing;
    assert.equal(said.code, 0, said.stderr);
    assert.equal((JSON.parse(said.stdout) as { redis: string }).redis, fault.status);
    await setTimeout(8000);
    assert.match(log.lines.filter((line) => line.includes('waiting for it')).join('\n'), fault.log);
    fault.end(proxy);
    const end = performance.now();
    const done = await untilStanding(index, run, env, ({ state }) => state === 'complete', 120);
    t.diagnostic(`complete ${Math.round((performance.now() - end) / 1000)} seconds after the fault`);
    assert.deepEqual([done.seen, done.stored + done.skipped, done.failed], [ITEMS, ITEMS - FAILED, FAILED]);
    assertSame(await readTables(index), expected);
    assert.deepEqual(
      log.lines.filter((line) => line.includes('failed for good')),
      [],
    );
  } finally {
    for (const worker of [goesOn, isTold]) worker.kill('SIGKILL');
    await Promise.all([goesOn, isTold].map(ended));
  }
}
