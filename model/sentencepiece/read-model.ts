import { errorMessage, VlmoError } from '#errors.ts';
import { type Field, WireFile } from '#onnx/wire.ts';

/** Of `sentencepiece_model.proto`, what decides the pieces of a text. */
export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  /** A trie of byte sequences and what they become; empty for none. */
  readonly charsmap: Uint8Array;
  readonly addsDummyPrefix: boolean;
  readonly removesExtraSpaces: boolean;
}

export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly type: number;
}

export const PIECE_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** XLM-R's has 250,000 pieces and a charsmap of 300 kB. */
const MAX_PIECES = 1_000_000;
const MAX_PIECE_BYTES = 512;
const MAX_CHARSMAP_BYTES = 16 * 1024 * 1024;
const UNIGRAM = 1;

type Rules = Pick<SentencePieceModel, 'charsmap' | 'addsDummyPrefix' | 'removesExtraSpaces'>;
const DEFAULT_RULES: Rules = { charsmap: new Uint8Array(), addsDummyPrefix: true, removesExtraSpaces: true };

/** Reads a `.spm` of SentencePiece: a unigram model that puts ▁ before words. Throws MODEL_INPUT_INVALID. */
export function readSentencePiece(path: string): SentencePieceModel {
  try {
    using file = new WireFile(path);
    return readModel(file);
  } catch (error) {
    throw new VlmoError(
      'MODEL_INPUT_INVALID',
      `Cannot read SentencePiece model "${path}": expected a unigram .spm, received ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

function readModel(file: WireFile): SentencePieceModel {
  const pieces: Piece[] = [];
  let rules = DEFAULT_RULES;
  for (const field of file.fields(0, file.size)) {
    if (field.number === 1) pieces.push(readPiece(file, field));
    if (field.number === 2) refuseOthers(file, field);
    if (field.number === 3) rules = readRules(file, field);
    if (pieces.length > MAX_PIECES) throw new Error(`more than ${MAX_PIECES} pieces`);
  }
  if (pieces.filter(({ type }) => type === PIECE_TYPES.unknown).length !== 1)
    throw new Error(`${pieces.length} pieces without one that stands for what is unknown`);
  if (pieces.some(({ type }) => type === PIECE_TYPES.byte)) throw new Error('pieces of single bytes');
  return { pieces, ...rules };
}

function readPiece(file: WireFile, { start, end }: Field): Piece {
  let [text, score, type]: [string, number, number] = ['', 0, PIECE_TYPES.normal];
  for (const field of file.fields(start, end)) {
    if (field.number === 1) text = file.text(field, MAX_PIECE_BYTES);
    if (field.number === 2) score = file.bytes(field.start, field.end, 4).readFloatLE();
    if (field.number === 3) type = field.value;
  }
  if (text === '' || !Number.isFinite(score)) throw new Error(`a piece "${text}" of score ${score}`);
  return { text, score, type };
}

/** What was trained in another way is read in another way. */
function refuseOthers(file: WireFile, { start, end }: Field): void {
  for (const { number, value } of file.fields(start, end)) {
    if (number === 3 && value !== UNIGRAM) throw new Error(`a model of type ${value}`);
    if (number === 24 && value !== 0) throw new Error('one that puts ▁ behind words');
    if (number === 35 && value !== 0) throw new Error('one that falls back to bytes');
  }
}

function readRules(file: WireFile, { start, end }: Field): Rules {
  let { charsmap, addsDummyPrefix, removesExtraSpaces } = DEFAULT_RULES;
  for (const field of file.fields(start, end)) {
    if (field.number === 2) charsmap = file.bytes(field.start, field.end, MAX_CHARSMAP_BYTES);
    if (field.number === 3) addsDummyPrefix = field.value !== 0;
    if (field.number === 4) removesExtraSpaces = field.value !== 0;
    if (field.number === 5 && field.value === 0) throw new Error('one that leaves spaces as they are');
  }
  return { charsmap, addsDummyPrefix, removesExtraSpaces };
}
