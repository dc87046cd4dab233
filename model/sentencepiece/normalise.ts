import { type Charsmap, createCharsmap } from './charsmap.ts';
import { PIECE_TYPES, type SentencePieceModel } from './read-model.ts';

const SPACE = 0x20;
const WORD_MARK = '▁';

/** Texts as the pieces have them, as SentencePiece's `Normalizer`: characters replaced, spaces one ▁ each. */
export function createNormaliser(model: SentencePieceModel): (text: string) => string {
  const charsmap = withUserDefined(model, createCharsmap(model.charsmap));
  const { addsDummyPrefix, removesExtraSpaces } = model;
  return (text) => {
    const input = Buffer.from(text);
    let at = 0;
    const next = (): Uint8Array => {
      const found = charsmap(input, at);
      const length = found?.length ?? characterBytes(input[at] as number);
      at += length;
      return found?.bytes ?? input.subarray(at - length, at);
    };
    const found: Uint8Array[] = [];
    let wasSpace = removesExtraSpaces;
    while (at < input.length) {
      let bytes = next();
      while (wasSpace && bytes[0] === SPACE) bytes = bytes.subarray(1);
      if (bytes.length === 0) continue;
      found.push(bytes);
      wasSpace = removesExtraSpaces && bytes.at(-1) === SPACE;
    }
    const marked = Buffer.concat(found).toString().replaceAll(' ', WORD_MARK);
    if (text === '') return '';
    const whole = addsDummyPrefix ? WORD_MARK + marked : marked;
    return removesExtraSpaces ? withoutLastMarks(whole) : whole;
  };
}

/** A loop, since a pattern would begin anew at each of many. */
function withoutLastMarks(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === WORD_MARK) end--;
  return text.slice(0, end);
}

/** Pieces that a user has defined stay as they are, the longest first. */
function withUserDefined({ pieces }: SentencePieceModel, charsmap: Charsmap): Charsmap {
  const defined = pieces
    .filter(({ type }) => type === PIECE_TYPES.userDefined)
    .map(({ text }) => Buffer.from(text))
    .sort((a, b) => b.length - a.length);
  if (defined.length === 0) return charsmap;
  return (text, at) => {
    const own = defined.find((bytes) => bytes.equals(text.subarray(at, at + bytes.length)));
    return own ? { bytes: own, length: own.length } : charsmap(text, at);
  };
}

function characterBytes(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
