import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { VlmoError } from '#errors.ts';
import { parseRedisUrl, type RedisAddress } from '#queue/address.ts';
import { closeRedis, connectRedis, type RedisClient } from '#queue/connection.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { cleanup, until } from './queue-fixture.ts';
import { startSentinel, startTcpRedis } from './tcp-redis.ts';

async function connect(t: TestContext, address: RedisAddress | string): Promise<RedisClient> {
  const client = await connectRedis(typeof address === 'string' ? parseRedisUrl(address) : address);
  cleanup(t).defer(() => closeRedis(client));
  return client;
}

/** Holds that no connection comes about, for that reason, and that no password is told. */
async function assertUnreachable(url: string, reason: RegExp): Promise<void> {
  await assert.rejects(connectRedis(parseRedisUrl(url)), (error: VlmoError) => {
    assert.ok(error instanceof VlmoError);
    assert.equal(error.code, 'REDIS_UNREACHABLE');
    assert.match(
      error.message,
      /^Cannot reach Redis at ".*": expected an answer, received .*; set REDIS_URL, or/,
    );
    assert.match(error.message, reason);
    assert.doesNotMatch(inspect(error, { depth: 9 }), /secret|wrong-one/);
    return true;
  });
}

describe('connectRedis to a server', () => {
  test('on a port, a database by its number', async (t) => {
    const { port } = await startTcpRedis(t);
    const third = await connect(t, `redis://127.0.0.1:${port}/3`);
    await third.set('key', 'of 3');
    const first = await connect(t, `redis://localhost:${port}`);
    assert.equal(await first.get('key'), null);
    assert.equal(await (await connect(t, `redis://127.0.0.1:${port}/3`)).get('key'), 'of 3');
  });

  test('a database that it does not have is refused, not replaced by number 0', async (t) => {
    const { port } = await startTcpRedis(t);
    await assertUnreachable(`redis://127.0.0.1:${port}/99`, /received ERR DB index is out of range/);
  });

  test('with a password, and with a user of its own', async (t) => {
    const { port } = await startTcpRedis(t, () => ['--requirepass', 'secret/:@']);
    const client = await connect(t, `redis://:secret%2F%3A%40@127.0.0.1:${port}`);
    await client.call('ACL', 'SETUSER', 'ann', 'on', '>secret two', '~*', '&*', '+@all');
    const ann = await connect(t, `redis://ann:secret%20two@127.0.0.1:${port}`);
    assert.equal(await ann.call('ACL', 'WHOAMI'), 'ann');
  });

  test('a password that is wrong or missing is refused, and not shown', async (t) => {
    const { port } = await startTcpRedis(t, () => ['--requirepass', 'secret']);
    await assertUnreachable(`redis://:wrong-one@127.0.0.1:${port}`, /WRONGPASS/);
    await assertUnreachable(`redis://ann:secret@127.0.0.1:${port}`, /WRONGPASS/);
    await assertUnreachable(`redis://127.0.0.1:${port}`, /NOAUTH/);
  });

  test('nobody there is told at once', async (t) => {
    const folder = await temporaryFolder(t);
    await assertUnreachable('redis://:secret@127.0.0.1:1', /received connect ECONNREFUSED 127\.0\.0\.1:1;/);
    await assertUnreachable(`unix://:secret@${join(folder, 'none.sock')}`, /received connect ENOENT/);
    await assertUnreachable('redis://no-such-host.invalid', /received getaddrinfo/);
  });

  test('one that never answers is given up', { timeout: 20_000 }, async (t) => {
    const sockets: { destroy(): unknown }[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const { port } = silent.address() as { port: number };
    await assertUnreachable(`redis://127.0.0.1:${port}`, /received nothing within 5 seconds/);
  });

  test('one that may drop jobs is refused with the reason', async (t) => {
    const { port } = await startTcpRedis(t, () => ['--maxmemory-policy', 'allkeys-lru']);
    await assert.rejects(connect(t, `redis://127.0.0.1:${port}`), {
      code: 'REDIS_UNSUITABLE',
      message: new RegExp(
        `^Cannot use Redis at "redis://127.0.0.1:${port}/0": expected .* noeviction, received allkeys-lru, which`,
      ),
    });
  });

  test('a connection that breaks is made again: commands wait, and each trouble is told once', async (t) => {
    await using redis = await startTestRedis();
    const told: string[] = [];
    const client = await connectRedis(redis.address, { onError: ({ message }) => told.push(message) });
    cleanup(t).defer(() => closeRedis(client));
    for (const value of ['one', 'two']) {
      await redis.kill9();
      const set = client.set('key', value);
      await until(
        () => told.length,
        (length) => length > 0,
      );
      await redis.start();
      assert.equal(await set, 'OK');
      assert.equal(await client.get('key'), value);
      assert.equal(new Set(told).size, told.length, `${told}`);
      told.length = 0;
    }
  });
});

describe('connectRedis to a Sentinel', () => {
  test('finds the master, and the next one when it dies', { timeout: 60_000 }, async (t) => {
    const master = await startTcpRedis(t);
    const replica = await startTcpRedis(t, () => ['--replicaof', `127.0.0.1 ${master.port}`]);
    const toMaster = await connect(t, `redis://127.0.0.1:${master.port}`);
    await until(
      () => (toMaster as Redis).info('replication'),
      (info) => info.includes('state=online'),
    );
    const sentinel = await startSentinel(t, 'the-master', master.port);
    const client = await connect(t, `redis-sentinel://127.0.0.1:1,127.0.0.1:${sentinel.port}/the-master/2`);
    await client.set('key', 'value');
    assert.equal(await (client as Redis).wait(1, 5000), 1);
    const toSentinel = new Redis({ port: sentinel.port });
    cleanup(t).defer(() => toSentinel.disconnect());
    await until(
      async () => inspect(await toSentinel.call('SENTINEL', 'replicas', 'the-master')),
      (replicas) => replicas.includes(`${replica.port}`),
    );
    await master.kill9();
    assert.equal(await client.get('key'), 'value');
    assert.equal(await client.set('key', 'next'), 'OK');
    const toReplica = await connect(t, `redis://127.0.0.1:${replica.port}/2`);
    assert.equal(await toReplica.get('key'), 'next');
  });

  test('no Sentinel, or one that knows no such master', async (t) => {
    await assertUnreachable('redis-sentinel://:secret@127.0.0.1:1/m', /sentinels are unreachable/);
    const { port } = await startTcpRedis(t);
    const sentinel = await startSentinel(t, 'm', port);
    await assertUnreachable(`redis-sentinel://:secret@127.0.0.1:${sentinel.port}/other`, /sentinel/i);
  });
});
