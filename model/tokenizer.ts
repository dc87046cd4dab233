import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { errorMessage, VlmoError } from '#errors.ts';

/** The file of a model folder that holds the vocabulary and the rules. */
export const TOKENIZER_FILE = 'tokenizer.json';
const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'];
/** More than any text whose first tokens are wanted; without it a text of a gigabyte would be read to its end. */
export const MAX_CHARACTERS = 65_536;

/** Texts to token ids, as bert-base-uncased: lower case, accents stripped, WordPiece, [CLS] … [SEP]. */
export interface TextEncoder {
  /** The ids of one text, at most the model's longest. */
  encode(text: string): number[];
  /** Whether the model's longest leaves out an end of the text. */
  isCut(text: string): boolean;
}

/** Reads the tokenizer of a model folder. Throws MODEL_INVALID. */
export async function loadTokenizer(folder: string, maxLength: number): Promise<TextEncoder> {
  const path = join(folder, TOKENIZER_FILE);
  try {
    return createTextEncoder(JSON.parse(await readFile(path, 'utf8')) as object, maxLength);
  } catch (error) {
    if (error instanceof VlmoError) throw error;
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot read tokenizer "${path}": expected what "vlmo model import" wrote, received ${errorMessage(error)}`,
      {
        cause: error,
      },
    );
  }
}

export function createTextEncoder(tokenizerJson: object, maxLength: number): TextEncoder {
  const tokenizer = new Tokenizer(tokenizerJson, {});
  const [cls, sep] = ['[CLS]', '[SEP]'].map((token) => tokenizer.token_to_id(token));
  if (cls === undefined || sep === undefined || tokenizer.token_to_id('[PAD]') !== 0) {
    throw new VlmoError(
      'MODEL_INVALID',
      'Cannot use tokenizer: expected [PAD] as id 0, [CLS] and [SEP], received a vocabulary without',
    );
  }
  const idsOf = (text: string): readonly number[] =>
    tokenizer.encode(text.slice(0, MAX_CHARACTERS), { add_special_tokens: false }).ids;
  return {
    encode: (text) => [cls, ...idsOf(text).slice(0, maxLength - 2), sep],
    // A token has a character at least, and only a text that fills the model's longest can be cut.
    isCut: (text) => text.length > maxLength - 2 && idsOf(text).length > maxLength - 2,
  };
}

/** Rows of token ids, each padded with 0 to the longest: [B, T]. */
export function padTokens(texts: readonly (readonly number[])[]): {
  readonly ids: Int32Array;
  readonly length: number;
} {
  const length = texts.reduce((longest, row) => Math.max(longest, row.length), 0);
  const ids = new Int32Array(texts.length * length);
  texts.forEach((row, i) => {
    ids.set(row, i * length);
  });
  return { ids, length };
}

/** The `tokenizer.json` for a `vocab.txt` of BERT: one token a line, its number the id. Throws MODEL_INPUT_INVALID. */
export function tokenizerFromVocabulary(path: string, text: string): object {
  const tokens = text.replace(/\r?\n$/, '').split(/\r?\n/);
  const vocabulary = new Map(tokens.map((token, id) => [token, id]));
  const missing = SPECIAL_TOKENS.filter((token) => !vocabulary.has(token));
  if (missing.length > 0 || vocabulary.get('[PAD]') !== 0) {
    const received =
      missing.length > 0 ? `one without ${missing.join(', ')}` : `[PAD] as id ${vocabulary.get('[PAD]')}`;
    throw new VlmoError(
      'MODEL_INPUT_INVALID',
      `Cannot read vocabulary "${path}": expected a token a line, [PAD] first, with ${SPECIAL_TOKENS.join(', ')}, received ${received}`,
    );
  }
  const special = [...SPECIAL_TOKENS, '[MASK]'].filter((token) => vocabulary.has(token));
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content) => ({
      id: vocabulary.get(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'BertProcessing',
      sep: ['[SEP]', vocabulary.get('[SEP]')],
      cls: ['[CLS]', vocabulary.get('[CLS]')],
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: '[UNK]',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary),
    },
  };
}
