// Runs alone: it owns a device.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { describeDevice, resolveDevice } from '#devices/device.ts';
import { probeProvider } from '#devices/device-probe.ts';
import { gpuDeviceFiles, missingCudaLibraries } from '#devices/gpu-facts.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { NO_GPU, SOFTWARE_GPU } from '../fixtures/software-gpu.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

/** What the processes that try providers out inherit, until the test ends. */
function setEnvironment(t: TestContext, variables: Readonly<Record<string, string>>): void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
}

async function reasonOf(t: TestContext, variables: Readonly<Record<string, string>>): Promise<string> {
  setEnvironment(t, variables);
  const report = await probeProvider('webgpu', 'works', 20_000);
  assert.ok(!report.works, JSON.stringify(report));
  return report.reason;
}

const hasGpu = gpuDeviceFiles()?.length !== 0;

describe('resolveDevice', () => {
  test('auto without a GPU is the CPU at once, whatever software Vulkan there is', {
    skip: hasGpu,
  }, async (t) => {
    setEnvironment(t, SOFTWARE_GPU);
    const start = performance.now();
    const device = await resolveDevice('auto');
    // A process takes longer to start than this.
    assert.ok(performance.now() - start < 30);
    assert.equal(device.provider, 'cpu');
    assert.match(describeDevice(device), /^cpu \(no GPU is there: .*\/dev\/dri.*\)$/);
  });

  test('webgpu on a software Vulkan: it works, and says that it is software', async (t) => {
    setEnvironment(t, SOFTWARE_GPU);
    const device = await resolveDevice('webgpu');
    assert.deepEqual([device.provider, device.hasHalf, device.isSoftware], ['webgpu', false, true]);
    assert.match(describeDevice(device), /^webgpu in software/);
  });

  test('cuda without its libraries says which and how to get them', {
    skip: missingCudaLibraries().length === 0,
  }, async () => {
    const what = ['libonnxruntime_providers_shared.so', 'ONNXRUNTIME_NODE_INSTALL', 'cuDNN 9'];
    await assert.rejects(resolveDevice('cuda'), vlmoError('DEVICE_UNAVAILABLE', '"cuda"', ...what));
  });
});

describe('probeProvider', () => {
  test('a software Vulkan is measured as slower than the CPU', async (t) => {
    setEnvironment(t, SOFTWARE_GPU);
    const report = await probeProvider('webgpu', 'speed');
    assert.ok(report.works, JSON.stringify(report));
    t.diagnostic(`${report.gflops.toFixed(2)} GFLOP/s, the CPU ${report.cpuGflops.toFixed(1)}`);
    assert.ok(report.gflops > 0 && report.gflops < report.cpuGflops / 4);
    assert.deepEqual(report.drivers, ['/usr/lib/chromium/libvk_swiftshader.so']);
  });

  test('no driver: says so, and how to get one', async (t) => {
    const reason = await reasonOf(t, NO_GPU);
    assert.match(reason, /^no Vulkan driver that loads: install .+ \(Failed to open JSON file .+\)$/);
  });

  test('a driver without its library: names it', async (t) => {
    const driver = join(await temporaryFolder(t), 'broken.json');
    const ICD = { library_path: './no-library.so', api_version: '1.0.5' };
    await writeFile(driver, JSON.stringify({ file_format_version: '1.0.0', ICD }));
    assert.match(await reasonOf(t, { ...SOFTWARE_GPU, VK_DRIVER_FILES: driver }), /no-library\.so/);
  });

  test('a process that aborts while it tries takes nobody with it', async (t) => {
    const NODE_OPTIONS = '--import=data:text/javascript,process.abort()';
    assert.match(await reasonOf(t, { ...SOFTWARE_GPU, NODE_OPTIONS }), /the end of the process by SIGABRT/);
  });

  test('one that hangs is ended', async (t) => {
    const hang = 'Atomics.wait(new%20Int32Array(new%20SharedArrayBuffer(4)),0,0)';
    setEnvironment(t, { ...SOFTWARE_GPU, NODE_OPTIONS: `--import=data:text/javascript,${hang}` });
    const report = await probeProvider('webgpu', 'works', 500);
    assert.deepEqual(report, { works: false, reason: 'no answer within 0.5 seconds' });
  });
});
