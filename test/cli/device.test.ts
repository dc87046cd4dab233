// Runs alone: it owns a device.
import assert from 'node:assert/strict';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { NO_GPU, SOFTWARE_GPU } from '../fixtures/software-gpu.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { assertClose } from '../model/vlmo/model-fixture.ts';
import { vlmo, vlmoJson } from './cli-fixture.ts';

interface Embedded {
  readonly embedding: readonly number[];
}

const folder = await temporaryFolder({ after });
const model = await importTiny(folder);
const picture = fixture('reference/vlmo-tiny/images/exact.png');

describe('--device', () => {
  test('vlmo embed: webgpu gives the vectors of the CPU', async () => {
    const args = ['embed', '--model', model, '--text', 'red', '--image', picture];
    const cpu = await vlmoJson<Embedded>([...args, '--device', 'cpu']);
    const gpu = await vlmoJson<Embedded>([...args, '--device', 'webgpu'], 0, {
      env: SOFTWARE_GPU,
      isProcess: true,
    });
    assert.equal(cpu.stderr, '');
    for (const [i, { embedding }] of cpu.lines.entries())
      assertClose(gpu.lines[i]?.embedding, embedding, 1e-5, `vector ${i}`);
  });

  test('vlmo index: webgpu, named by the environment, stores every item', async () => {
    const pictures = join(folder, 'pictures');
    await mkdir(pictures);
    await cp(picture, join(pictures, 'exact.png'));
    const env = { ...SOFTWARE_GPU, VLMO_DEVICE: 'webgpu' };
    const args = ['index', pictures, '--index', join(folder, 'index'), '--model', model, '--json'];
    const { lines, stderr } = await vlmoJson<{ stored: number }>(args, 0, { env, isProcess: true });
    assert.equal(lines[0]?.stored, 1);
    assert.doesNotMatch(stderr, /Device:/);
    // A second run on the CPU finds the same generation, and nothing to do.
    const again = await vlmoJson<{ skipped: number }>([...args, '--device', 'auto'], 0, {
      env: NO_GPU,
      isProcess: true,
    });
    assert.equal(again.lines[0]?.skipped, 1);
    assert.match(again.stderr, /^Device: cpu \(.+\)$/m);
  });

  for (const command of ['embed', 'index'] as const) {
    test(`vlmo ${command}: a device that does not work is an error, never the CPU`, async () => {
      const index = join(folder, 'never');
      const args = command === 'embed' ? ['--text', 'red'] : [join(folder, 'tiny'), '--index', index];
      const ran = await vlmo([command, '--model', model, ...args, '--device', 'webgpu'], {
        env: NO_GPU,
        isProcess: true,
      });
      assert.deepEqual([ran.code, ran.stdout], [1, '']);
      assert.match(
        ran.stderr,
        /^vlmo: Cannot use device "webgpu": expected .+, received no Vulkan driver.+ \[DEVICE_UNAVAILABLE\]\n$/,
      );
    });
  }

  test('vlmo worker: a device that computes something else ends it before it takes a job', async () => {
    const env = { ...SOFTWARE_GPU, NODE_OPTIONS: `--import=${fixture('break-kernel.ts')}` };
    const ran = await vlmo(['worker', '--index', join(folder, 'index'), '--device', 'webgpu'], { env });
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /expected a score of .+, received .+ \[DEVICE_WRONG\]\n$/);
  });

  test('a device that there is not is refused with those that there are', async () => {
    const ran = await vlmo(['embed', '--model', model, '--text', 'red', '--device', 'tpu']);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /"cpu", "webgpu", "cuda" or "cuda:all".+CONFIG_INVALID/);
  });
});
