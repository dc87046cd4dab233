// Runs alone: it measures.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  createTextEncoder,
  loadTokenizer,
  padTokens,
  type TextEncoder,
  TOKENIZER_FILE,
  tokenizerFromVocabulary,
} from '#model/tokenizer.ts';
import { readJson, temporaryFolder } from '../fixtures/files.ts';
import { type Expected, VOCABULARY, vlmoError } from './vlmo/model-fixture.ts';

/** The toy vocabulary of the reference fixtures. */
async function toyEncoder(maxLength = 40): Promise<TextEncoder> {
  return createTextEncoder(
    tokenizerFromVocabulary(VOCABULARY, await readFile(VOCABULARY, 'utf8')),
    maxLength,
  );
}

const WORDS =
  '[PAD] [UNK] [CLS] [SEP] [MASK] cafe cap ##e 日 本 語 ab naive i ##stanbul ecole __proto__ constructor _'.split(
    ' ',
  );

/** What a vocabulary of the words above makes of a text, as words. */
function tokens(text: string): string {
  const encoder = createTextEncoder(tokenizerFromVocabulary('words', WORDS.join('\n')), 20);
  return encoder
    .encode(text)
    .map((id) => WORDS[id])
    .join(' ');
}

test("TextEncoder.encode: the reference captions' ids", async () => {
  const encoder = await toyEncoder();
  for (const name of ['tiny_rel', 'tiny_abs']) {
    const { captions, input_ids: ids } = await readJson<Expected>(
      `reference/vlmo-tiny/${name}.expected.json`,
    );
    assert.deepEqual(
      captions.map((caption) => encoder.encode(caption)),
      ids,
    );
  }
});

test('TextEncoder.encode: words are split into the longest pieces, unknown ones become [UNK]', () => {
  assert.equal(tokens('cafe'), '[CLS] cafe [SEP]');
  assert.equal(tokens('cape'), '[CLS] cap ##e [SEP]');
  assert.equal(tokens('capes cafe'), '[CLS] [UNK] cafe [SEP]');
  assert.equal(tokens('constructor toString'), '[CLS] constructor [UNK] [SEP]');
});

test('TextEncoder.encode: lower case, accents gone, composed or not', () => {
  for (const text of ['CAFÉ', 'café', 'cafe\u0301', 'c\u0327a\u030afe'])
    assert.equal(tokens(text), '[CLS] cafe [SEP]');
  assert.equal(tokens('Naïve ÉCOLE İstanbul'), '[CLS] naive ecole i ##stanbul [SEP]');
});

test('TextEncoder.encode: each Chinese character is a word, beside others and alone', () => {
  assert.equal(tokens('日本語'), '[CLS] 日 本 語 [SEP]');
  assert.equal(tokens('cafe日cafe'), '[CLS] cafe 日 cafe [SEP]');
});

test('TextEncoder.encode: control characters vanish, every kind of space separates', () => {
  assert.equal(tokens('a\u0000b'), '[CLS] ab [SEP]');
  assert.equal(tokens('a\u200b\ufffd\u00adb'), '[CLS] ab [SEP]');
  assert.equal(tokens('ab\tab\r\nab\u00a0ab\u3000ab'), '[CLS] ab ab ab ab ab [SEP]');
});

test('TextEncoder.encode: no text, or nothing but spaces, is [CLS] [SEP]', () => {
  for (const text of ['', ' ', ' \t\n\u3000', '\u0000']) assert.equal(tokens(text), '[CLS] [SEP]');
});

test('TextEncoder.encode: special tokens inside a text are themselves, as in Hugging Face’s tokenizers', () => {
  assert.equal(tokens('cafe [SEP] ab'), '[CLS] cafe [SEP] ab [SEP]');
  assert.equal(tokens('cafe[MASK]ab'), '[CLS] cafe [MASK] ab [SEP]');
  assert.equal(tokens('[sep]'), '[CLS] [UNK] [UNK] [UNK] [SEP]');
});

test('TextEncoder.encode: names of object members are words like any other', () => {
  // "_" is punctuation and stands alone.
  assert.equal(tokens('__proto__'), '[CLS] _ _ [UNK] _ _ [SEP]');
  assert.equal(tokens('hasOwnProperty valueOf'), '[CLS] [UNK] [UNK] [SEP]');
});

test('TextEncoder.encode: a long text is cut to the longest, [SEP] kept', async () => {
  for (const longest of [2, 3, 8, 40]) {
    const ids = (await toyEncoder(longest)).encode('a dog '.repeat(100));
    assert.equal(ids.length, longest);
    assert.deepEqual([ids[0], ids.at(-1)], [2, 3]);
  }
});

test('TextEncoder.encode: a million characters take no longer than the first thousands', async () => {
  const encoder = await toyEncoder();
  for (const text of ['a dog ', 'a', '日', '!', '[SEP]', ' ', 'é']) {
    const start = performance.now();
    const ids = encoder.encode(text.repeat(Math.ceil(1e6 / text.length)));
    // Reading to the end would take seconds for some of these; the bound leaves room for a busy machine.
    assert.ok(performance.now() - start < 1000, `"${text}" took ${performance.now() - start} ms`);
    assert.ok(ids.length <= 40);
  }
});

test('padTokens: rows are padded with 0 to the longest', () => {
  assert.deepEqual(
    padTokens([
      [2, 7, 3],
      [2, 3],
    ]),
    { ids: Int32Array.of(2, 7, 3, 2, 3, 0), length: 3 },
  );
  assert.deepEqual(padTokens([]), { ids: new Int32Array(0), length: 0 });
});

test('padTokens: takes a batch of any size', () => {
  const { ids, length } = padTokens(Array.from({ length: 300_000 }, () => [2, 3]));
  assert.deepEqual([ids.length, length], [600_000, 2]);
});

test('tokenizerFromVocabulary: lines may end in \\r\\n, and the last need not end', () => {
  const encode = (text: string) => createTextEncoder(tokenizerFromVocabulary('v', text), 9).encode('cafe ab');
  const expected = [2, 5, 11, 3];
  for (const end of ['\n', '\r\n']) {
    assert.deepEqual(encode(WORDS.join(end)), expected);
    assert.deepEqual(encode(WORDS.join(end) + end), expected);
  }
});

test('tokenizerFromVocabulary: a file that is no vocabulary is refused with the reason', () => {
  const invalid = (text: string, ...patterns: string[]) =>
    assert.throws(
      () => tokenizerFromVocabulary('v.txt', text),
      vlmoError('MODEL_INPUT_INVALID', 'v.txt', ...patterns),
    );
  invalid('', '[PAD]');
  invalid('[PAD]\n[UNK]\na\nb', '[CLS]', '[SEP]');
  invalid('[UNK]\n[PAD]\n[CLS]\n[SEP]', '[PAD] as id 1');
  invalid('{"version": "1.0"}', 'one without');
});

test('loadTokenizer: a missing or damaged tokenizer.json is an error that names it', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(loadTokenizer(folder, 40), vlmoError('MODEL_INVALID', TOKENIZER_FILE));
  for (const text of ['', '{', '{}', 'null', '[]', '{"model": {"type": "BPE"}}']) {
    await writeFile(join(folder, TOKENIZER_FILE), text);
    await assert.rejects(loadTokenizer(folder, 40), vlmoError('MODEL_INVALID'));
  }
});
