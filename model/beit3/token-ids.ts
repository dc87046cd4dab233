import { VlmoError } from '#errors.ts';
import { readSentencePiece } from '../sentencepiece/read-model.ts';
import { createSegmenter } from '../sentencepiece/segment.ts';
import { MAX_CHARACTERS, type TextEncoder } from '../tokenizer.ts';

/** The file of a model folder with SentencePiece's pieces. */
export const PIECES_FILE = 'beit3.spm';

/** As XLM-R has them: what frames a text comes first, so that every piece is one further on. */
const [START_ID, END_ID, UNKNOWN_ID, SHIFT] = [0, 2, 3, 1];
export const PAD_ID = 1;

/** Texts to ids, at most `maxLength` with what frames them, of a vocabulary of `words`. Throws MODEL_INPUT_INVALID. */
export function loadPieces(path: string, words: number, maxLength: number): TextEncoder {
  const model = readSentencePiece(path);
  const { pieces } = model;
  if (pieces.length + SHIFT > words)
    throw invalid(path, `${words - SHIFT} pieces at most for ${words} words of the weights`, pieces.length);
  const types = pieces.slice(0, 3).map(({ text }) => text);
  if (types.join() !== '<unk>,<s>,</s>')
    throw invalid(path, 'pieces that begin with <unk>, <s>, </s>', types.join(', '));
  const segment = segmenterOf(path, model);
  const idsOf = (text: string): number[] =>
    segment(text.slice(0, MAX_CHARACTERS)).map((piece) => (piece === 0 ? UNKNOWN_ID : piece + SHIFT));
  return {
    encode: (text) => [START_ID, ...idsOf(text).slice(0, maxLength - 2), END_ID],
    isCut: (text) => idsOf(text).length > maxLength - 2,
  };
}

function segmenterOf(path: string, model: Parameters<typeof createSegmenter>[0]) {
  try {
    return createSegmenter(model);
  } catch (error) {
    throw invalid(path, 'a charsmap', error instanceof Error ? error.message : 'none');
  }
}

function invalid(path: string, expected: string, received: string | number): VlmoError {
  return new VlmoError(
    'MODEL_INPUT_INVALID',
    `Cannot use SentencePiece model "${path}": expected ${expected}, received ${received}`,
  );
}
