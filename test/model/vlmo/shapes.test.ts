import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VlmoConfig } from '#model/vlmo/config.ts';
import type { GraphKind } from '#model/vlmo/network.ts';
import { readJson } from '../../fixtures/files.ts';
import { assertClose, checkerPixels, loadFixture } from './model-fixture.ts';

interface Shape {
  readonly wrapping: string;
  readonly givenHeads: number | null;
  readonly config: Partial<VlmoConfig> & Pick<VlmoConfig, 'image_size' | 'num_channels' | 'max_text_length'>;
  readonly input_ids: readonly number[];
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

const shapes = await readJson<Record<string, Shape>>('shapes/expected.json');

for (const [name, { wrapping, givenHeads, config, input_ids: ids, outputs }] of Object.entries(shapes)) {
  test(`importCheckpoint: ${name} (wrapping "${wrapping}") gives the reference's values`, async (t) => {
    const vlmo = await loadFixture(t, `shapes/${name}.pt`, { heads: givenHeads ?? undefined });
    for (const [key, value] of Object.entries(config)) {
      assert.deepEqual(vlmo.config[key as keyof VlmoConfig], value, key);
    }
    const pixels = checkerPixels(2, config.num_channels, ...config.image_size);
    const tokens = { ids: Int32Array.from(ids), length: config.max_text_length };
    const inputs = { image: { pixels }, text: { tokens }, fusion: { pixels, tokens } };
    assert.ok('fusion_cls' in outputs);
    for (const [output, expected] of Object.entries(outputs)) {
      const graph: GraphKind = output.startsWith('text_')
        ? 'text'
        : /^(image|visual)_/.test(output)
          ? 'image'
          : 'fusion';
      const fetched = await vlmo.fetch(graph, inputs[graph], [output]);
      assertClose(fetched[output]?.data, expected, graph === 'fusion' ? 1e-3 : 1e-4, output);
    }
  });
}
