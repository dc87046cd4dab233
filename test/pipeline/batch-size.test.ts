import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VlmoConfig } from '#model/vlmo/config.ts';
import { activationBytes, macsPerPicture } from '#model/vlmo/family.ts';
import { pictureBatchSize } from '#pipeline/batch-size.ts';

function config(hidden: number, layers: number, size: number, patch = 16): VlmoConfig {
  return {
    model_type: 'vlmo',
    variant: 'custom',
    image_size: [size, size],
    patch_size: [patch, patch],
    num_channels: 3,
    hidden_size: hidden,
    intermediate_size: 4 * hidden,
    num_hidden_layers: layers,
    num_attention_heads: 4,
    vlffn_start: layers,
    vocab_size: 100,
    max_text_length: 40,
    dtype: 'f32',
    weights_sha256: '0'.repeat(64),
  };
}

function costs(model: VlmoConfig) {
  return { macsPerPicture: macsPerPicture(model), activationBytes: activationBytes(model) };
}

describe('macsPerPicture', () => {
  test('VLMo-base: 17 GMAC at 224 and 55 at 384, patches and heads aside', () => {
    assert.ok(Math.abs(macsPerPicture(config(768, 12, 224)) / 1e9 - 17.4) < 0.3);
    assert.ok(Math.abs(macsPerPicture(config(768, 12, 384)) / 1e9 - 55.4) < 1);
  });

  test('one token, one layer, width 1: four projections, two products, eight in the feed-forward layers', () => {
    assert.equal(macsPerPicture({ ...config(1, 1, 8), patch_size: [16, 16] }), 4 + 2 + 8);
  });
});

describe('pictureBatchSize', () => {
  for (const [what, model, expected] of [
    ['VLMo-base at 224', config(768, 12, 224), 4],
    ['VLMo-base at 384', config(768, 12, 384), 2],
    ['VLMo-large at 384', config(1024, 24, 384), 2],
    ['a tiny model', config(128, 5, 64), 16],
  ] as const) {
    test(`${what}: ${expected}`, () => assert.equal(pictureBatchSize(costs(model)), expected));
  }

  // 577 tokens: 12 heads of 577 x 577 scores are 16 MB a picture, of the 128 MiB that every WebGPU allows.
  for (const [what, model, expected] of [
    ['VLMo-base at 224', config(768, 12, 224), 32],
    ['VLMo-base at 384', { ...config(768, 12, 384), num_attention_heads: 12 }, 8],
    ['a tiny model', config(128, 5, 64), 64],
  ] as const) {
    test(`on a GPU, ${what}: ${expected}`, () =>
      assert.equal(pictureBatchSize(costs(model), true), expected));
  }
});
