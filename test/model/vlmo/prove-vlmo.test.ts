import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import ort from 'onnxruntime-node';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { importTiny } from '../../fixtures/tiny-model.ts';
import { vlmoError } from './model-fixture.ts';

const model = await importTiny(await temporaryFolder({ after }));

/** A device that is the CPU but for one value of what this graph gives. */
function breakOutput(output: string): void {
  const { create } = ort.InferenceSession;
  const patched = async (bytes: Uint8Array, options: ort.InferenceSession.SessionOptions) => {
    const session = await create(bytes, { ...options, executionProviders: ['cpu'] });
    if (options.executionProviders?.[0] !== 'webgpu' || !session.outputNames.includes(output)) return session;
    const run = session.run.bind(session);
    session.run = async (feeds: ort.InferenceSession.OnnxValueMapType) => {
      const results = await run(feeds);
      const data = results[output]?.data as Float32Array;
      data[1] = (data[1] as number) + 0.05;
      return results;
    };
    return session;
  };
  ort.InferenceSession.create = patched as typeof create;
}

const { create } = ort.InferenceSession;
for (const [graph, output, what] of [
  ['image', 'image_embedding', 'picture'],
  ['text', 'text_embedding', 'text'],
  ['fusion', 'itm_logits', 'pair'],
] as const) {
  test(`loadVlmo: a device that gives another ${what} is refused`, async (t) => {
    breakOutput(output);
    t.after(() => {
      ort.InferenceSession.create = create;
    });
    await assert.rejects(
      loadVlmo(model, { provider: 'webgpu', graphs: ['image', 'text', 'fusion'] }),
      vlmoError('DEVICE_WRONG', `of a ${what}`, 'received', '(value 1)'),
    );
    await using right = await loadVlmo(model, { graphs: [graph] });
    assert.deepEqual(right.proofs, []);
  });
}
