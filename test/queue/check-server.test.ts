import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Redis } from 'ioredis';
import type { VlmoError } from '#errors.ts';
import { checkServer } from '#queue/check-server.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { sharedRedis } from './queue-fixture.ts';

const redis = await sharedRedis();
const SHOWN = 'redis://somewhere';

/** Holds that it is refused with the reason. */
function unsuitable(expected: string, received: RegExp): (error: VlmoError) => boolean {
  return ({ code, message }) =>
    code === 'REDIS_UNSUITABLE' &&
    message.startsWith(`Cannot use Redis at "${SHOWN}": expected ${expected}, received `) &&
    received.test(message);
}

/** A way to a Redis on which every answer says another version: what it says must be as long. */
async function saying(t: TestContext, path: string, version: string): Promise<Redis> {
  const way = join(await temporaryFolder(t), 'way.sock');
  const server = createServer((from) => {
    const to = connect(path);
    from.pipe(to);
    to.on('data', (bytes) => {
      const text = bytes.toString('latin1').replace(/(?<=redis_version:)\S+/, (real) => {
        assert.equal(version.length, real.length);
        return version;
      });
      from.write(text, 'latin1');
    });
    for (const end of [from, to])
      end.on('error', () => undefined).on('close', () => [from, to].map((s) => s.destroy()));
  }).listen(way);
  await once(server, 'listening');
  const client = new Redis({ path: way });
  t.after(() => {
    client.disconnect();
    server.close();
  });
  return client;
}

describe('checkServer', () => {
  test('a server that drops nothing is taken', async () => {
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    await checkServer(redis.client, SHOWN);
  });

  for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random', 'volatile-lru', 'volatile-ttl']) {
    test(`${policy} is refused with the reason and the way to mend it`, async () => {
      await redis.client.config('SET', 'maxmemory-policy', policy);
      const why = new RegExp(
        `${policy}, which may drop jobs when memory is full.*CONFIG SET maxmemory-policy noeviction`,
      );
      await assert.rejects(checkServer(redis.client, SHOWN), unsuitable('maxmemory-policy noeviction', why));
    });
  }

  test('a server that refuses CONFIG is told by what INFO says', async () => {
    const settings = ['--rename-command', 'CONFIG', '', '--maxmemory-policy', 'allkeys-lru'];
    await using hosted = await startTestRedis(settings);
    await assert.rejects(hosted.client.config('GET', 'maxmemory-policy'), /unknown command/);
    await assert.rejects(
      checkServer(hosted.client, SHOWN),
      unsuitable('maxmemory-policy noeviction', /allkeys-lru/),
    );
  });

  for (const [version, taken] of [
    ['7.0.99', true],
    ['6.2.00', true],
    ['6.1.99', false],
    ['5.0.15', false],
    ['10.0.1', true],
  ] as const) {
    test(`version ${version} is ${taken ? 'taken' : 'refused'}`, async (t) => {
      await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
      const client = await saying(t, redis.url.slice('unix://'.length), version);
      const checked = checkServer(client, SHOWN);
      if (taken) await checked;
      else
        await assert.rejects(checked, unsuitable('version 6.2 or newer', new RegExp(`version ${version}$`)));
    });
  }
});
