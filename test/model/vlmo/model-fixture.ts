import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { VlmoError } from '#errors.ts';
import { type ImportOptions, type ImportResult, importCheckpoint } from '#model/vlmo/import.ts';
import type { Tensor, TokenBatch } from '#model/vlmo/inputs.ts';
import { loadVlmo, type Vlmo } from '#model/vlmo/vlmo.ts';
import { fixture, temporaryFolder } from '../../fixtures/files.ts';

export const VOCABULARY = fixture('reference/vlmo-tiny/vocab.txt');

/** What an `*.expected.json` of the reference fixtures holds that these tests compare. */
export interface Expected {
  readonly images: readonly string[];
  readonly captions: readonly string[];
  readonly input_ids: readonly (readonly number[])[];
  readonly image_embedding: readonly (readonly number[])[];
  readonly text_embedding: readonly (readonly number[])[];
  readonly fusion_cls: readonly (readonly number[])[];
  readonly visual_embed_first_image_first_2_tokens: readonly (readonly number[])[];
  readonly image_vl_embedding?: readonly (readonly number[])[];
  readonly text_vl_embedding?: readonly (readonly number[])[];
  readonly itm_logits?: readonly (readonly number[])[];
}

/** tiny_abs does not tell its heads. */
export const TINY = [
  { name: 'tiny_rel', heads: undefined },
  { name: 'tiny_abs', heads: 4 },
] as const;

export async function importFixture(
  t: TestContext,
  checkpoint: string,
  options: Partial<ImportOptions> = {},
): Promise<ImportResult> {
  const out = join(await temporaryFolder(t), 'model');
  return importCheckpoint(fixture(checkpoint), { vocabulary: VOCABULARY, out, dtype: 'f32', ...options });
}

/** A checkpoint of the fixtures, imported and loaded until the test ends. */
export async function loadFixture(
  t: TestContext,
  checkpoint: string,
  options: Partial<ImportOptions> = {},
): Promise<Vlmo> {
  const { model } = await importFixture(t, checkpoint, options);
  const vlmo = await loadVlmo(model, { threads: 1 });
  t.after(() => vlmo[Symbol.asyncDispose]());
  return vlmo;
}

export async function loadTiny(
  t: TestContext,
  name: 'tiny_rel' | 'tiny_abs',
  options: Partial<ImportOptions> = {},
): Promise<Vlmo> {
  const heads = TINY.find((tiny) => tiny.name === name)?.heads;
  return loadFixture(t, `reference/vlmo-tiny/${name}.pt`, { heads, ...options });
}

/** The first `count` of the six reference pictures, as Pillow shrinks them to 64 x 64, normalised: [B, 3, 64, 64]. */
export async function referencePixels(count = 6): Promise<Tensor> {
  const rgb = await readFile(fixture('pixels/64.rgb'));
  const area = 64 * 64;
  const data = Float32Array.from({ length: count * 3 * area }, (_, i) => {
    const [picture, channel, place] = [Math.floor(i / (3 * area)), Math.floor(i / area) % 3, i % area];
    return (rgb[(picture * area + place) * 3 + channel] ?? Number.NaN) / 127.5 - 1;
  });
  return { data, dims: [count, 3, 64, 64] };
}

/** Pictures that need no file, by the formula of the recipes: value i is ((i · 48271) mod 65521) / 32760.5 - 1. */
export function checkerPixels(...dims: [number, number, number, number]): Tensor {
  const length = dims.reduce((product, size) => product * size, 1);
  return { data: Float32Array.from({ length }, (_, i) => ((i * 48271) % 65521) / 32760.5 - 1), dims };
}

/** Some of the items of a batch. */
export function items({ data, dims }: Tensor, from: number, to: number): Tensor {
  const [batch = 1, ...rest] = dims;
  const each = data.length / batch;
  return { data: data.slice(from * each, to * each), dims: [to - from, ...rest] };
}

export function tokenRows(rows: readonly (readonly number[])[]): TokenBatch {
  const length = rows[0]?.length ?? 0;
  return { ids: Int32Array.from(rows.flat()), length };
}

/** Holds that the tensors differ by at most `tolerance` anywhere. */
export function assertClose(
  actual: ArrayLike<number> | undefined,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert.equal(actual?.length, expected.length, `${what}: length`);
  let [worst, at] = [0, -1];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual?.[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    if (!(difference <= worst)) [worst, at] = [difference, i];
    if (Number.isNaN(worst)) break;
  }
  assert.ok(
    worst <= tolerance,
    `${what}: element ${at} is ${actual?.[at]}, expected ${expected[at]} ± ${tolerance}`,
  );
}

/** For assert.throws and assert.rejects: a VlmoError of this code whose message matches. */
export function vlmoError(code: string, ...patterns: readonly (RegExp | string)[]): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof VlmoError, `expected a VlmoError, received ${String(error)}`);
    assert.equal(error.code, code, error.message);
    for (const pattern of patterns) {
      const matches =
        typeof pattern === 'string' ? error.message.includes(pattern) : pattern.test(error.message);
      assert.ok(matches, `expected ${String(pattern)} in "${error.message}"`);
    }
    return true;
  };
}
