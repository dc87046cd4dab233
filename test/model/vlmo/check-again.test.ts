import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import ort from 'onnxruntime-node';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { importTiny } from '../../fixtures/tiny-model.ts';
import { referencePixels, vlmoError } from './model-fixture.ts';

const model = await importTiny(await temporaryFolder({ after }));
type Results = Awaited<ReturnType<ort.InferenceSession['run']>>;

/** A device that is the CPU, until something happens to it. */
const device: { change?: (results: Results, pictures: number) => Results } = {};
const { create } = ort.InferenceSession;
ort.InferenceSession.create = (async (bytes: Uint8Array, options: ort.InferenceSession.SessionOptions) => {
  const session = await create(bytes, { ...options, executionProviders: ['cpu'] });
  if (options.executionProviders?.[0] !== 'webgpu') return session;
  const run = session.run.bind(session);
  session.run = async (feeds: ort.InferenceSession.OnnxValueMapType) => {
    const results = await run(feeds);
    const { dims = [] } = (feeds.pixel_values ?? {}) as ort.Tensor;
    return device.change?.(results, dims[0] ?? 0) ?? results;
  };
  return session;
}) as typeof create;

function spoilt(results: Results, value: number): Results {
  for (const { data } of Object.values(results) as ort.Tensor[]) (data as Float32Array)[3] = value;
  return results;
}

for (const precision of ['f32', 'f16'] as const) {
  test(`Vlmo in ${precision}: a device that turns wrong in the middle is refused, and no picture is blamed`, async () => {
    await using vlmo = await loadVlmo(model, {
      threads: 1,
      provider: 'webgpu',
      precision,
      graphs: ['image'],
    });
    const pixels = await referencePixels(2);
    const right = await vlmo.embedImages(pixels);
    device.change = (results) => spoilt(results, Number.NaN);
    await assert.rejects(vlmo.embedImages(pixels), vlmoError('DEVICE_WRONG', 'received NaN'));
    device.change = () => {
      throw new Error('CUDA failure 719: unspecified launch failure');
    };
    await assert.rejects(vlmo.embedImages(pixels), vlmoError('DEVICE_LOST', '"webgpu"', 'CUDA failure 719'));
    // One batch alone fails, and the device still gives what it gave.
    device.change = (results, pictures) => {
      if (pictures === 2) throw new Error('out of memory for two');
      return results;
    };
    await assert.rejects(vlmo.embedImages(pixels), /out of memory for two/);
    // Values beyond the range of 16 bits are of the pictures, and 32 bits hold them.
    let runs = 0;
    device.change = (results, pictures) =>
      pictures === 2 && runs++ === 0 ? spoilt(results, Number.POSITIVE_INFINITY) : results;
    const again = await vlmo.embedImages(pixels);
    if (precision === 'f16')
      assert.ok(again.data.every((value, i) => Math.abs(value - (right.data[i] ?? 9)) < 5e-3));
    delete device.change;
    assert.deepEqual((await vlmo.embedImages(pixels)).data, right.data);
  });
}
