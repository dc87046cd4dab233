import assert from 'node:assert/strict';
import { test } from 'node:test';
import { padTokens } from '#model/tokenizer.ts';
import type { Tensor } from '#model/vlmo/inputs.ts';
import { readJson } from '../../fixtures/files.ts';
import {
  assertClose,
  type Expected,
  items,
  loadTiny,
  referencePixels,
  TINY,
  vlmoError,
} from './model-fixture.ts';

const expectedOf = (name: string): Promise<Expected> =>
  readJson<Expected>(`reference/vlmo-tiny/${name}.expected.json`);

// tiny_abs is a float16 checkpoint: importing it as float16 loses nothing. tiny_rel is float32: rounding its weights to
// 11 bits moves unit vectors by some 1e-3.
const PRECISIONS = [
  { name: 'tiny_rel', dtype: 'f32', embedding: 1e-4, logits: 1e-3 },
  { name: 'tiny_abs', dtype: 'f32', embedding: 1e-4, logits: 1e-3 },
  { name: 'tiny_abs', dtype: 'f16', embedding: 1e-4, logits: 1e-3 },
  { name: 'tiny_rel', dtype: 'f16', embedding: 2e-3, logits: 5e-3 },
] as const;

for (const { name, dtype, embedding, logits } of PRECISIONS) {
  test(`loadVlmo: ${name} imported as ${dtype} gives the reference's values`, async (t) => {
    const vlmo = await loadTiny(t, name, { dtype });
    const expected = await expectedOf(name);
    const pixels = await referencePixels();
    const texts = expected.captions;
    const tokens = padTokens(texts.map((text) => vlmo.tokenizer.encode(text)));
    assertClose(
      (await vlmo.embedImages(pixels)).data,
      expected.image_embedding.flat(),
      embedding,
      'image_embedding',
    );
    assertClose(
      (await vlmo.embedTexts(texts)).data,
      expected.text_embedding.flat(),
      embedding,
      'text_embedding',
    );
    const fusion = await vlmo.fetch('fusion', { pixels, tokens }, ['fusion_cls']);
    assertClose(fusion.fusion_cls?.data, expected.fusion_cls.flat(), logits, 'fusion_cls');
    if (!expected.itm_logits) return;
    const match = await vlmo.match(pixels, texts);
    assertClose(match.logits, expected.itm_logits.flat(), logits, 'itm_logits');
    const probabilities = expected.itm_logits.map(([no = 0, yes = 0]) => 1 / (1 + Math.exp(no - yes)));
    assertClose(match.probabilities, probabilities, logits, 'probabilities');
  });
}

test('Vlmo.fetch: the vectors behind the vl experts are the reference’s', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_rel');
  const expected = await expectedOf('tiny_rel');
  const images = await vlmo.fetch('image', { pixels: await referencePixels() }, ['image_vl_embedding']);
  const tokens = padTokens(expected.input_ids);
  const texts = await vlmo.fetch('text', { tokens }, ['text_vl_embedding']);
  assertClose(images.image_vl_embedding?.data, expected.image_vl_embedding?.flat() ?? [], 1e-4, 'image');
  assertClose(texts.text_vl_embedding?.data, expected.text_vl_embedding?.flat() ?? [], 1e-4, 'text');
});

for (const { name } of TINY) {
  test(`Vlmo.visualEmbed: ${name} gives [cls; patches] with positions, and a mask of ones`, async (t) => {
    const vlmo = await loadTiny(t, name);
    const { hidden_size: width } = vlmo.config;
    const { visual_embed_first_image_first_2_tokens: first } = await expectedOf(name);
    const { tokens, mask } = await vlmo.visualEmbed(await referencePixels(3));
    assert.deepEqual(tokens.dims, [3, 17, width]);
    assertClose(tokens.data.subarray(0, 2 * width), first.flat(), 1e-5, 'visual_embed');
    assert.deepEqual(mask.dims, [3, 17]);
    assert.ok(mask.data.every((value) => value === 1));
  });

  test(`Vlmo: in ${name} an item's vector does not depend on its batch or on padding`, async (t) => {
    const vlmo = await loadTiny(t, name);
    const { captions, input_ids: rows } = await expectedOf(name);
    const width = vlmo.config.hidden_size;
    const pixels = await referencePixels();
    const images = await vlmo.embedImages(pixels);
    const texts = await vlmo.embedTexts(captions);
    const names = ['fusion_cls'];
    const joint = await vlmo.fetch('fusion', { pixels, tokens: padTokens(rows) }, names);
    for (const [i, caption] of captions.entries()) {
      const own = (batch: Float32Array | undefined) => batch?.subarray(i * width, (i + 1) * width) ?? [];
      const picture = items(pixels, i, i + 1);
      assertClose((await vlmo.embedImages(picture)).data, own(images.data), 2e-6, `picture ${i}`);
      assertClose((await vlmo.embedTexts([caption])).data, own(texts.data), 2e-6, `text ${i}`);
      const tokens = padTokens([rows[i] ?? []]);
      const alone = await vlmo.fetch('fusion', { pixels: picture, tokens }, names);
      assertClose(alone.fusion_cls?.data, own(joint.fusion_cls?.data), 2e-5, `pair ${i}`);
    }
  });

  test(`Vlmo.embedTokens: in ${name} padding to the longest text changes nothing`, async (t) => {
    const vlmo = await loadTiny(t, name);
    const [row = []] = (await expectedOf(name)).input_ids;
    const longest = [...row, ...Array<number>(vlmo.config.max_text_length - row.length).fill(0)];
    const short = await vlmo.embedTokens({ ids: Int32Array.from(row), length: row.length });
    const padded = await vlmo.embedTokens({ ids: Int32Array.from(longest), length: longest.length });
    assertClose(padded.data, short.data, 2e-6, 'padded');
  });
}

test('Vlmo: the first calls may come at the same time', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_rel', { dtype: 'f16' });
  const pixels = await referencePixels(1);
  const [alone, ...others] = await Promise.all([1, 2, 3].map(() => vlmo.embedImages(pixels)));
  for (const other of others) assert.deepEqual(other?.data, alone?.data);
});

for (const { name } of TINY) {
  test(`Vlmo: in ${name} one text with several pictures, or one picture with several texts, is as if repeated`, async (t) => {
    const vlmo = await loadTiny(t, name);
    const rows = (await expectedOf(name)).input_ids;
    const pixels = await referencePixels();
    const cls = async (pictures: Tensor, texts: readonly (readonly number[])[]) =>
      (await vlmo.fetch('fusion', { pixels: pictures, tokens: padTokens(texts) }, ['fusion_cls'])).fusion_cls;
    for (const [i, row] of rows.entries()) {
      const repeated = await cls(pixels, Array(6).fill(row));
      const broadcast = await cls(pixels, [row]);
      assert.deepEqual(broadcast?.dims, [6, vlmo.config.hidden_size]);
      assertClose(broadcast?.data, repeated?.data ?? [], 2e-6, `text ${i}`);
      const picture = items(pixels, i, i + 1);
      const copies = {
        data: Float32Array.from(
          { length: pixels.data.length },
          (_, n) => picture.data[n % picture.data.length] ?? 0,
        ),
        dims: pixels.dims,
      };
      const byPicture = await cls(picture, rows);
      assertClose(byPicture?.data, (await cls(copies, rows))?.data ?? [], 2e-6, `picture ${i}`);
      // Row i of both is the same pair, the text padded in one of them.
      const width = vlmo.config.hidden_size;
      const own = (batch: Tensor | undefined) => batch?.data.subarray(i * width, (i + 1) * width);
      assertClose(own(broadcast), own(byPicture) ?? [], 2e-5, `pair ${i}`);
    }
  });
}

test('Vlmo: what is alone in a batch of pairs is embedded once', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_rel');
  const names = ['fusion_cls', 'visual_embed', 'text_embeddings.LayerNorm'];
  const pixels = await referencePixels();
  const rows = (await expectedOf('tiny_rel')).input_ids;
  const dims = async (pictures: Tensor, texts: readonly (readonly number[])[]) => {
    const values = await vlmo.fetch('fusion', { pixels: pictures, tokens: padTokens(texts) }, names);
    return names.map((name) => values[name]?.dims[0]);
  };
  assert.deepEqual(await dims(pixels, rows.slice(0, 1)), [6, 6, 1]);
  assert.deepEqual(await dims(items(pixels, 0, 1), rows), [6, 1, 6]);
  assert.deepEqual(await dims(pixels, rows), [6, 6, 6]);
});

test('Vlmo.match: one text or one picture gives a probability for each of the others', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_rel');
  const pixels = await referencePixels();
  const { captions } = await expectedOf('tiny_rel');
  const all = await vlmo.match(pixels, captions);
  const byText = await vlmo.match(pixels, captions.slice(2, 3));
  const byPicture = await vlmo.match(items(pixels, 2, 3), captions);
  assert.equal(new Set(byText.probabilities).size, 6);
  for (const { probabilities, logits } of [byText, byPicture]) {
    assert.deepEqual([probabilities.length, logits.length], [6, 12]);
    assertClose(probabilities.subarray(2, 3), all.probabilities.subarray(2, 3), 2e-5, 'the pair in both');
  }
});

test('Vlmo.match: names both counts when they differ and neither is one', async (t) => {
  const vlmo = await loadTiny(t, 'tiny_rel');
  const pixels = await referencePixels(2);
  const texts = ['a cat', 'a dog', 'a cow'];
  await assert.rejects(vlmo.match(pixels, texts), vlmoError('MODEL_INPUT_INVALID', '2 and 3'));
  await assert.rejects(vlmo.match(pixels, []), vlmoError('MODEL_INPUT_INVALID', '0 ids'));
});
