// Runs alone: it measures.
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeCheckpoint } from '../../fixtures/checkpoint-writer.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { runChild } from '../../fixtures/run-child.ts';
import { zeroModel } from '../../fixtures/zero-model.ts';
import { VOCABULARY } from './model-fixture.ts';

const MEGABYTE = 1024 * 1024;

// Three blocks of width 1024: 305 MB, the largest tensor 16 MB. Its zeros take no room on the disk.
const SIZES = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 3,
  num_attention_heads: 16,
  vlffn_start: 2,
};

for (const dtype of ['f32', 'f16'] as const) {
  test(`importCheckpoint: 300 MB as ${dtype} pass in pieces, through a heap of 64 MB`, async (t) => {
    const folder = await temporaryFolder(t);
    const checkpoint = join(folder, 'big.pt');
    await writeCheckpoint(checkpoint, zeroModel(SIZES));
    assert.ok((await stat(checkpoint)).size > 290 * MEGABYTE);
    const out = join(folder, 'model');
    const most = await runChild<{ arrayBuffers: number; external: number; samples: number }>(
      'import-child.ts',
      [checkpoint, VOCABULARY, out, dtype],
      ['--max-old-space-size=64'],
    );
    assert.ok(most.samples > 20, `${most.samples} samples`);
    const figures = JSON.stringify(most);
    assert.ok(most.arrayBuffers < 64 * MEGABYTE, figures);
    assert.ok(most.external < 64 * MEGABYTE, figures);
    const expected = (dtype === 'f32' ? 290 : 145) * MEGABYTE;
    assert.ok((await stat(join(out, 'model.safetensors'))).size > expected);
    t.diagnostic(figures);
  });
}
