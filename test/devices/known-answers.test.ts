// Runs alone: it owns a device.
import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { after, describe, test } from 'node:test';
import { compareAnswers } from '#devices/known-answers.ts';
import { fixture } from '../fixtures/files.ts';
import { SOFTWARE_GPU } from '../fixtures/software-gpu.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

/** No file tells whether there is a GPU: `auto` has to try. */
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith('/devices/gpu-facts.ts')) return loaded;
    return { ...loaded, source: String(loaded.source).replace("'linux') return", "'') return") };
  },
});
const { resolveDevice } = await import('#devices/device.ts');
const { probeProvider } = await import('#devices/device-probe.ts');

const broken = { ...SOFTWARE_GPU, NODE_OPTIONS: `--import=${fixture('break-kernel.ts')}` };
const before = { ...process.env };
Object.assign(process.env, broken);
after(() => {
  process.env = before;
});

describe('a GPU whose kernel is broken', () => {
  test('is refused by its name, with what was expected and received', async () => {
    const words = [
      /^Cannot use device "webgpu", which/,
      /expected a score of -?[\d.]+, received -?[\d.]+ \(value 9\)/,
    ];
    await assert.rejects(resolveDevice('webgpu'), vlmoError('DEVICE_WRONG', ...words));
  });

  test('is passed over by auto, which takes the next one and says why', async () => {
    const { provider, reason } = await resolveDevice('auto');
    assert.equal(provider, 'cpu');
    assert.match(reason, /^webgpu is wrong \(.+ received .+\)/);
  });
});

describe('probeProvider', () => {
  test('CUDA is tried with TF32 off, as it is used', async (t) => {
    const report = '{works:false,reason:String(process.env.NVIDIA_TF32_OVERRIDE)}';
    const script = encodeURIComponent(`console.log(JSON.stringify(${report}));process.exit()`);
    process.env.NODE_OPTIONS = `--import=data:text/javascript,${script}`;
    t.after(() => Object.assign(process.env, broken));
    assert.deepEqual(await probeProvider('cuda', 'speed'), { works: false, reason: '0' });
  });
});

describe('compareAnswers', () => {
  const device = { device: 'x', what: 'a score', bound: 0.1 };

  test('gives the largest difference within the bound', () => {
    assert.equal(compareAnswers({ ...device, expected: [1, 2], received: [1, 2.0625] }), 0.0625);
  });

  for (const received of [[1, 2.2], [1, Number.NaN], [1]]) {
    test(`refuses [${received.join(', ')}] where [1, 2] is right`, () => {
      const compare = (): number => compareAnswers({ ...device, expected: [1, 2], received });
      assert.throws(compare, vlmoError('DEVICE_WRONG', '"x"'));
    });
  }
});
