// Runs alone: it owns a device.
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openStore } from '#store/lance/open-store.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { startTestRedis } from '../fixtures/redis-server.ts';
import { NO_GPU, SOFTWARE_GPU } from '../fixtures/software-gpu.ts';
import { failureRecord, generationSpec, imageRow, unitVectors } from '../store/lance/store-fixture.ts';
import { vlmo, vlmoJson } from './cli-fixture.ts';

interface Line {
  readonly check: string;
  readonly state: 'ok' | 'note' | 'broken';
  readonly detail: string;
  readonly nodes?: Readonly<Record<string, number>>;
  readonly gflops?: number;
  readonly gigabytesPerSecond?: number;
  readonly isSoftware?: boolean;
}

const folder = await temporaryFolder({ after });
const find = (lines: readonly Line[], check: string): Line => {
  const line = lines.find((candidate) => candidate.check === check);
  assert.ok(line, check);
  return line;
};

describe('vlmo doctor', () => {
  test('a machine without a GPU: 0, all that is needed works, what is optional says how to get it', async () => {
    const index = join(folder, 'index');
    await (await openStore(index, { create: true })).close();
    await using redis = await startTestRedis();
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    const env = { ...NO_GPU, REDIS_URL: redis.url };
    const before = await readdir(index);
    const { lines } = await vlmoJson<Line>(['doctor', '--index', index, '--json'], 0, {
      env,
      isProcess: true,
    });
    assert.deepEqual(
      lines.map(({ check }) => check),
      [
        ...['cpu', 'webgpu', 'cuda', '--device auto', 'pictures', 'store'],
        ...[
          'tables',
          'index',
          'leftovers',
          'vectors',
          'keys',
          'captions',
          'failures',
          'odd pictures',
          'lookups',
        ],
        ...['redis', '--embedded-redis', 'disk', 'disk', 'disk'],
      ],
    );
    for (const check of ['cpu', '--device auto', 'pictures', 'store', 'index', 'redis', '--embedded-redis'])
      assert.equal(find(lines, check).state, 'ok', find(lines, check).detail);
    const { nodes, gflops = 0, gigabytesPerSecond = 0 } = find(lines, 'cpu');
    assert.deepEqual(Object.keys(nodes ?? {}), ['cpu']);
    assert.ok(gflops > 1 && gigabytesPerSecond > 0.1);
    const webgpu = find(lines, 'webgpu');
    assert.equal(webgpu.state, 'note');
    assert.match(webgpu.detail, /no Vulkan driver that loads: install/);
    assert.deepEqual(await readdir(index), before, 'nothing is left in the index');
  });

  test('a software GPU: the block runs on it, and the line says that it is software', async () => {
    const { lines } = await vlmoJson<Line>(['doctor', '--json'], 0, {
      env: { ...SOFTWARE_GPU, REDIS_URL: '' },
      isProcess: true,
    });
    const { state, nodes, isSoftware, detail } = find(lines, 'webgpu');
    assert.equal(state, 'ok');
    assert.deepEqual(Object.keys(nodes ?? {}), ['webgpu']);
    assert.equal(isSoftware, true);
    assert.match(
      detail,
      /\d+ nodes on webgpu, a block of .+ ms, .+ GFLOP\/s, memory .+ GB\/s; .+ in software.+swiftshader/,
    );
    assert.match(find(lines, '--device auto').detail, /^cpu /);
  });

  test('1 for what is needed and broken: a device that is named, a Redis that is named, an index', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    const env = { ...NO_GPU, REDIS_URL: 'redis://127.0.0.1:1' };
    const { code, stdout } = await vlmo(['doctor', '--device', 'webgpu', '--index', file], {
      env,
      isProcess: true,
    });
    assert.equal(code, 1);
    const broken = stdout.split('\n').filter((line) => line.startsWith('BROKEN'));
    assert.deepEqual(
      broken.map((line) => line.slice(8, 25).trim()),
      ['webgpu', '--device webgpu', 'index', 'redis'],
    );
    assert.match(broken.at(-1) ?? '', /127\.0\.0\.1:1.+ECONNREFUSED/);
  });

  test('2 for an index of which some items are wrong, which are named', async () => {
    const index = join(folder, 'faulty');
    {
      await using store = await openStore(index, { create: true });
      const { images } = await store.openGeneration(generationSpec());
      await images.upsert({ rows: [imageRow('both.jpg')], vectors: unitVectors(1, 4) });
      await store.failures.upsert([failureRecord('both.jpg')]);
    }
    const env = { ...NO_GPU, REDIS_URL: '' };
    const { code, stdout } = await vlmo(['doctor', '--index', index], { env, isProcess: true });
    assert.equal(code, 2);
    assert.match(stdout, /^FAULTY {2}failures +1 items are both .*"both\.jpg"/m);
    assert.doesNotMatch(stdout, /BROKEN/);
  });
});
