import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { padTokens } from '#model/tokenizer.ts';
import type { GraphKind } from '#model/vlmo/network.ts';
import { fixture, readJson } from '../../fixtures/files.ts';
import {
  assertClose,
  items,
  loadFixture,
  loadTiny,
  referencePixels,
  TINY,
  vlmoError,
} from './model-fixture.ts';

interface Intermediates {
  readonly input_ids: readonly (readonly number[])[];
  readonly values: readonly {
    readonly graph: GraphKind;
    readonly name: string;
    readonly dims: readonly number[];
    readonly offset: number;
  }[];
}

for (const { name } of TINY) {
  test(`buildGraph: intermediates of ${name} carry their module's name, shape and value`, async (t) => {
    const vlmo = await loadTiny(t, name);
    const { input_ids: rows, values } = await readJson<Intermediates>(`intermediates/${name}.json`);
    const file = await readFile(fixture(`intermediates/${name}.bin`));
    const golden = new Float32Array(file.buffer, file.byteOffset, file.byteLength / 4);
    const pixels = await referencePixels(2);
    const tokens = padTokens(rows);
    const inputs = { image: { pixels }, text: { tokens }, fusion: { pixels, tokens } };
    for (const graph of ['image', 'text', 'fusion'] as const) {
      const wanted = values.filter((value) => value.graph === graph);
      assert.ok(wanted.length >= 3);
      const names = wanted.map((value) => value.name);
      const fetched = await vlmo.fetch(graph, inputs[graph], names);
      for (const { name: module, dims, offset } of wanted) {
        const what = `${graph} ${module}`;
        const length = dims.reduce((product, size) => product * size, 1);
        assert.deepEqual(fetched[module]?.dims, dims, what);
        // Values inside the network reach some 10: 1e-4 is about 1e-5 of that.
        assertClose(fetched[module]?.data, golden.subarray(offset, offset + length), 1e-4, what);
      }
    }
  });
}

test('buildGraph: an intermediate fetched by itself is the one fetched among others', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_rel');
  const pixels = await referencePixels(1);
  const name = 'transformer.blocks.1.mlp_imag.fc1';
  const alone = await vlmo.fetch('image', { pixels }, [name]);
  const among = await vlmo.fetch('image', { pixels }, ['image_embedding', name, 'transformer.norm']);
  assertClose(among[name]?.data, alone[name]?.data ?? [], 1e-6, name);
});

test('buildGraph: a name the graph does not compute is an error that lists those it does', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_rel');
  const pixels = await referencePixels(1);
  await assert.rejects(
    vlmo.fetch('image', { pixels }, ['transformer.blocks.9.attn.qkv']),
    vlmoError(
      'MODEL_OUTPUT_UNKNOWN',
      '"transformer.blocks.9.attn.qkv"',
      'image_embedding',
      'transformer.blocks.3.attn.qkv',
      'itc_vl.transformer.blocks.3.mlp_vl.fc1',
    ),
  );
  await assert.rejects(
    vlmo.fetch('image', { pixels }, ['__proto__']),
    vlmoError('MODEL_OUTPUT_UNKNOWN', '"__proto__"'),
  );
});

test('Vlmo.fetch: a picture of the wrong size is an error that names both sizes', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_abs');
  const sizes = [
    [1, 3, 32, 64],
    [1, 3, 64, 63],
    [1, 1, 64, 64],
    [3, 64, 64],
  ];
  for (const dims of sizes) {
    const data = new Float32Array(dims.reduce((product, size) => product * size, 1));
    const both = vlmoError('MODEL_INPUT_INVALID', '3 x 64 x 64', dims.slice(1).join(' x '));
    await assert.rejects(vlmo.embedImages({ data, dims }), both);
    await assert.rejects(vlmo.visualEmbed({ data, dims }), both);
  }
  const short = { data: new Float32Array(5), dims: [1, 3, 64, 64] };
  await assert.rejects(vlmo.embedImages(short), vlmoError('MODEL_INPUT_INVALID', '5 numbers'));
  const none = { data: new Float32Array(0), dims: [0, 3, 64, 64] };
  await assert.rejects(vlmo.embedImages(none), vlmoError('MODEL_INPUT_INVALID'));
});

test('Vlmo.fetch: token ids out of the vocabulary or too many of them are errors', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_rel');
  const run = (ids: readonly number[], length: number) =>
    vlmo.embedTokens({ ids: Int32Array.from(ids), length });
  await assert.rejects(run([2, 131, 3], 3), vlmoError('MODEL_INPUT_INVALID', 'below 131', '131'));
  await assert.rejects(run([2, -1, 3], 3), vlmoError('MODEL_INPUT_INVALID', '-1'));
  await assert.rejects(run(Array<number>(41).fill(5), 41), vlmoError('MODEL_INPUT_INVALID', '1 to 40', '41'));
  await assert.rejects(run([2, 5, 3], 2), vlmoError('MODEL_INPUT_INVALID', '3 ids in rows of 2'));
  await assert.rejects(vlmo.embedTexts([]), vlmoError('MODEL_INPUT_INVALID', '0 ids'));
});

test('Vlmo.fetch: inputs that do not belong to the graph are errors', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_rel');
  const pixels = await referencePixels(2);
  const tokens = padTokens([[2, 5, 3]]);
  const cls = ['fusion_cls'];
  await assert.rejects(
    vlmo.fetch('image', { tokens }, ['image_embedding']),
    vlmoError('MODEL_INPUT_INVALID'),
  );
  await assert.rejects(vlmo.fetch('text', {}, ['text_embedding']), vlmoError('MODEL_INPUT_INVALID'));
  await assert.rejects(vlmo.fetch('fusion', { pixels }, cls), vlmoError('MODEL_INPUT_INVALID'));
  const three = padTokens([1, 2, 3].map(() => [2, 5, 3]));
  await assert.rejects(
    vlmo.fetch('fusion', { pixels, tokens: three }, cls),
    vlmoError('MODEL_INPUT_INVALID', 'or one', '2 and 3'),
  );
  // What a value is not computed from may be given all the same.
  const joint = await vlmo.fetch('fusion', { pixels: items(pixels, 0, 1), tokens }, ['visual_embed']);
  assert.deepEqual(joint.visual_embed?.dims, [1, 17, 64]);
});

test('Vlmo: a missing head is an error that says which one', async (t) => {
  const retrieval = await loadTiny(t, 'tiny_abs');
  const pixels = await referencePixels(1);
  await assert.rejects(retrieval.match(pixels, ['a cat']), vlmoError('MODEL_HEAD_MISSING', 'itm_score'));
  const matching = await loadFixture(t, 'shapes/matching_only.pt');
  const other = { data: new Float32Array(3 * 32 * 32), dims: [1, 3, 32, 32] };
  await assert.rejects(matching.embedTexts(['a cat']), vlmoError('MODEL_HEAD_MISSING', 'itc_text_proj'));
  await assert.rejects(matching.embedImages(other), vlmoError('MODEL_HEAD_MISSING', 'itc_image_proj'));
});
