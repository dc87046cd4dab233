import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { VOCABULARY } from '../model/vlmo/model-fixture.ts';
import { assertCannotRun, vlmo, vlmoJson } from './cli-fixture.ts';

const REL = fixture('reference/vlmo-tiny/tiny_rel.pt');
const ABS = fixture('reference/vlmo-tiny/tiny_abs.pt');

describe('vlmo model', () => {
  test('import writes a folder and says what it is; inspect says the same', async (t) => {
    const folder = await temporaryFolder(t);
    const out = join(folder, 'rel');
    const args = ['model', 'import', REL, '--vocab', VOCABULARY, '--out', out, '--json'];
    const { lines } = await vlmoJson<Record<string, unknown>>(args);
    assert.equal(lines.length, 1);
    const { parameters, weights_bytes, weights_sha256, ...rest } = lines[0] ?? {};
    assert.deepEqual(rest, {
      ...{ name: 'rel', path: out, variant: 'custom' },
      ...{ image_size: '64 x 64', patch_size: '16 x 16', num_channels: 3 },
      ...{ hidden_size: 64, intermediate_size: 256, num_hidden_layers: 4, num_attention_heads: 4 },
      ...{ vlffn_start: 3, vocab_size: 131, max_text_length: 40 },
      ...{ positions: 'relative', layer_scale: true, heads: 'itc, itcVl, itm', dtype: 'f32' },
    });
    assert.equal(weights_bytes, 4 * Number(parameters));
    assert.match(String(weights_sha256), /^[0-9a-f]{64}$/);
    assert.deepEqual((await vlmoJson(['model', 'inspect', out, '--json'])).lines, lines);
    const table = await vlmo(['model', 'inspect', out]);
    assert.equal(table.code, 0);
    assert.match(table.stdout, /^hidden_size +64$/m);
  });

  test('--heads, --dtype and --image-size are taken', async (t) => {
    const out = join(await temporaryFolder(t), 'abs');
    const sizes = ['--heads', '4', '--dtype', 'f16', '--image-size', '96'];
    const { lines } = await vlmoJson<Record<string, unknown>>([
      ...['model', 'import', ABS, '--vocab', VOCABULARY, '--out', out, '--json'],
      ...sizes,
    ]);
    const { num_attention_heads, dtype, image_size, heads } = lines[0] ?? {};
    assert.deepEqual([num_attention_heads, dtype, image_size, heads], [4, 'f16', '96 x 96', 'itc']);
  });

  test('inspect says of any other family what is known of all', async () => {
    const folder = fixture('models/blip-itm');
    const { lines } = await vlmoJson<Record<string, unknown>>(['model', 'inspect', folder, '--json']);
    assert.deepEqual(lines, [
      {
        ...{ name: 'blip-itm', path: folder, family: 'blip', dimensions: 48, image_size: '32 x 32' },
        ...{ max_text_length: 35, embeds: '', matches: true },
      },
    ]);
  });

  test('inspect demo finds the bundled model from any folder', async (t) => {
    const { lines } = await vlmoJson<{ name: string }>(['model', 'inspect', 'demo', '--json'], 0, {
      cwd: await temporaryFolder(t),
    });
    assert.equal(lines[0]?.name, 'demo');
  });

  test('what cannot be imported: 1, one line, and no half-written folder', async (t) => {
    const folder = await temporaryFolder(t);
    const out = join(folder, 'out');
    const rest = ['--vocab', VOCABULARY, '--out', out];
    await writeFile(join(folder, 'foreign.pt'), 'not a checkpoint');
    const foreign = join(folder, 'foreign.pt');
    await assertCannotRun(
      ['model', 'import', join(folder, 'none.pt'), ...rest],
      'CHECKPOINT_NOT_FOUND',
      'none.pt',
    );
    await assertCannotRun(['model', 'import', foreign, ...rest], 'CHECKPOINT_INVALID', foreign);
    await assertCannotRun(
      ['model', 'import', fixture('hostile/system_global.pt'), ...rest],
      'CHECKPOINT_UNSAFE',
      'system',
    );
    await assertCannotRun(['model', 'import', ABS, ...rest], 'CHECKPOINT_INVALID', '--heads');
    await assertCannotRun(
      ['model', 'import', REL, ...rest, '--image-size', '65'],
      'MODEL_INPUT_INVALID',
      '65',
    );
    await assertCannotRun(
      ['model', 'import', REL, '--vocab', VOCABULARY, '--out', folder],
      'MODEL_EXISTS',
      folder,
    );
    assert.deepEqual(await readdir(folder), ['foreign.pt']);
    await assertCannotRun(['model', 'inspect', folder], 'MODEL_NOT_FOUND', folder);
    assert.equal((await vlmo(['model', 'import', REL, ...rest, '--heads', 'four'])).code, 1);
  });
});
