// Runs alone: it owns a device.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { restartOnce } from '#engine/device-restart.ts';
import { startEngine } from '#engine/engine.ts';
import { openStore } from '#store/lance/open-store.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { useSoftwareGpu } from '../fixtures/software-gpu.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { caption, engineSetup, openModelGeneration } from './engine-fixture.ts';

useSoftwareGpu();

test('startEngine: a GPU that is lost in the middle costs one start and no item; lost again, it is said', {
  timeout: 300_000,
}, async () => {
  const folder = await temporaryFolder({ after });
  await using store = await openStore(join(folder, 'index'), { create: true });
  const generation = await openModelGeneration(store, await importTiny(folder));
  const lost = join(folder, 'lost');
  await writeFile(lost, '0');
  process.env.LOST_DEVICE = lost;
  process.env.NODE_OPTIONS = `--import ${pathToFileURL(fixture('lost-device-hook.ts')).href}`;
  const [restarts, ends, deaths]: string[][] = [[], [], []];
  const setup = { ...engineSetup(store.uri), device: 'webgpu' as const };
  const started = await startEngine(setup, (how) => deaths?.push(how));
  await using engine = restartOnce(
    started,
    (reason) => restarts?.push(reason),
    ({ message }) => ends?.push(message),
  );
  const index = (...ids: string[]) =>
    engine.call({
      ...{ kind: 'index', run: 'r', runNumber: 1, source: 's', generation, retryFailed: false },
      items: ids.map((id) => caption(id)),
    });
  assert.deepEqual((await index('a', 'b')).failures, []);
  await writeFile(lost, String(Date.now()));
  const { stored, failures } = await index('c', 'd');
  assert.deepEqual([stored, failures], [2, []]);
  assert.deepEqual(deaths, ['signal SIGKILL']);
  assert.match(restarts?.join() ?? '', /device "webgpu".*the device is lost/);
  await writeFile(lost, String(Date.now()));
  await assert.rejects(index('e'), vlmoError('DEVICE_LOST', 'the device is lost'));
  assert.equal(ends?.length, 1);
});
