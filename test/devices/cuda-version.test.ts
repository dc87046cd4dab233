import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { otherCudaVersion, ownVersion, versionsIn } from '#devices/cuda-version.ts';
import { cudaLibrary } from '#devices/gpu-facts.ts';
import { temporaryFolder } from '../fixtures/files.ts';

test('versionsIn: onnxruntime’s own library names the version of its package', {
  skip: process.platform !== 'linux',
}, () => {
  assert.deepEqual(versionsIn(join(dirname(cudaLibrary()), 'libonnxruntime.so.1')), [ownVersion()]);
});

test('otherCudaVersion: a library of another onnxruntime is named with both versions, wherever it says so', async (t) => {
  const path = join(await temporaryFolder(t), 'libonnxruntime_providers_cuda.so');
  assert.equal(otherCudaVersion(path), undefined);
  const chunk = 4 * 1024 * 1024;
  for (const at of [0, 100, chunk - 20, chunk - 12, chunk - 5, chunk - 1, chunk + 3]) {
    const bytes = Buffer.alloc(chunk + 64);
    bytes.write('\x001.29.7\0', at, 'latin1');
    bytes.write('\x001.2.13\0', 50, 'latin1');
    await writeFile(path, bytes);
    assert.equal(
      otherCudaVersion(path),
      `"${path}" of onnxruntime 1.29.7, which onnxruntime ${ownVersion()} does not load`,
    );
  }
  await writeFile(path, `\0${ownVersion()}\0`);
  assert.equal(otherCudaVersion(path), undefined);
});
