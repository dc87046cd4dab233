// Runs alone: it owns a device.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type ort from 'onnxruntime-node';
import { type ProfiledNode, readProfile } from '#devices/profile.ts';
import { prepareWeights } from '#model/prepare-weights.ts';
import { padTokens } from '#model/tokenizer.ts';
import { feedsOf, type ModelInputs } from '#model/vlmo/inputs.ts';
import type { GraphKind } from '#model/vlmo/network.ts';
import { createSession, type SessionOptions } from '#model/vlmo/session.ts';
import { readJson, temporaryFolder } from '../../fixtures/files.ts';
import { useSoftwareGpu } from '../../fixtures/software-gpu.ts';
import { assertClose, importFixture, referencePixels, TINY } from './model-fixture.ts';

useSoftwareGpu();

interface Intermediates {
  readonly input_ids: readonly (readonly number[])[];
  readonly values: readonly { readonly graph: GraphKind; readonly name: string }[];
}

/**
 * Both compute in float32 and add in another order. Inside the network, where values reach some 10, they differed by 3e-6
 * at most on SwiftShader, and vectors of unit length by 2e-7.
 */
const BOUND = { intermediate: 1e-4, output: 1e-5, cosine: 0.99999 } as const;

/** Sessions stay open to the end: with the last one onnxruntime forgets the shaders it compiled, which take seconds. */
const opened: { release(): Promise<void> }[] = [];
after(async () => {
  for (const session of opened) await session.release();
});

for (const { name, heads } of TINY) {
  for (const graph of ['image', 'text', 'fusion'] as const) {
    test(`createSession: the ${graph} graph of ${name} runs on WebGPU and gives what the CPU gives`, async (t) => {
      const { model } = await importFixture(t, `reference/vlmo-tiny/${name}.pt`, { heads });
      const { input_ids: rows, values } = await readJson<Intermediates>(`intermediates/${name}.json`);
      const output = graph === 'fusion' ? 'fusion_cls' : `${graph}_embedding`;
      const inside = values.filter((value) => value.graph === graph).map((value) => value.name);
      const names = [...new Set([...inside, output])];
      const feeds = feedsOf(model.config, inputsOf(await referencePixels(2), rows)[graph]);
      const profilePrefix = join(await temporaryFolder(t), 'profile');
      await using prepared = await prepareWeights(model);
      const open = async (options: Omit<SessionOptions, 'threads'>): Promise<ort.InferenceSession> => {
        const session = await createSession(graph, names, model.config, prepared, { threads: 1, ...options });
        opened.push(session);
        return session;
      };
      const expected = await (await open({ provider: 'cpu' })).run(feeds);
      const session = await open({ provider: 'webgpu', profilePrefix });
      const actual = await session.run(feeds);
      for (const value of names)
        assertSame(actual[value], expected[value], value === output, `${graph} ${value}`);
      session.endProfiling();
      assertOnGpu(await readProfile(profilePrefix));
    });
  }
}

function assertSame(
  actual: ort.Tensor | undefined,
  expected: ort.Tensor | undefined,
  isOutput: boolean,
  what: string,
): void {
  assert.ok(actual && expected, what);
  assert.deepEqual(actual.dims, expected.dims, what);
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array];
  assertClose(a, b, isOutput ? BOUND.output : BOUND.intermediate, what);
  assert.ok(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)) >= BOUND.cosine, what);
}

/** Nothing runs on the CPU but the arithmetic of shapes. */
function assertOnGpu(nodes: readonly ProfiledNode[]): void {
  const onGpu = nodes.filter(({ provider }) => provider === 'webgpu').map(({ op }) => op);
  for (const op of ['Gemm', 'MultiHeadAttention', 'LayerNormalization', 'Gelu'])
    assert.ok(onGpu.includes(op), op);
  assert.deepEqual(
    nodes.filter(({ provider, isShape }) => provider !== 'webgpu' && !isShape),
    [],
  );
}

function inputsOf(
  pixels: NonNullable<ModelInputs['pixels']>,
  rows: readonly (readonly number[])[],
): Readonly<Record<GraphKind, ModelInputs>> {
  const tokens = padTokens(rows);
  return { image: { pixels }, text: { tokens }, fusion: { pixels, tokens } };
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
