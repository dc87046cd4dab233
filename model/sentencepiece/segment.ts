import { createNormaliser } from './normalise.ts';
import { PIECE_TYPES, type SentencePieceModel } from './read-model.ts';

/** Below the least probable piece, for a character that no piece has. */
const UNKNOWN_PENALTY = 10;

/** How the best pieces that end at a place begin. */
interface Ending {
  readonly id: number;
  readonly start: number;
  /** In 32 bits, as SentencePiece has it: rounded otherwise, of two ways the other could win. */
  readonly score: number;
}

/**
 * Texts to the numbers of their pieces, the most probable ones together, as `EncodeAsIds` of SentencePiece: unknown
 * characters one after the other are one. Throws an Error for a charsmap that is none.
 */
export function createSegmenter(model: SentencePieceModel): (text: string) => number[] {
  const normalise = createNormaliser(model);
  const { pieces } = model;
  const unknown = pieces.findIndex(({ type }) => type === PIECE_TYPES.unknown);
  const known = pieces
    .map(({ text, score, type }, id) => ({ text, score, type, id }))
    .filter(({ type }) => type === PIECE_TYPES.normal || type === PIECE_TYPES.userDefined);
  const scores = known.filter(({ type }) => type === PIECE_TYPES.normal).map(({ score }) => score);
  const least = scores.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const unknownScore = Math.fround(least - UNKNOWN_PENALTY);
  const scoreOf = ({ text, score, type }: (typeof known)[number]): number =>
    // What a user has defined always wins.
    type === PIECE_TYPES.userDefined ? Math.fround(Buffer.byteLength(text) * most) - 0.1 : score;
  const byText = new Map(known.map((piece) => [piece.text, { id: piece.id, score: scoreOf(piece) }]));
  const longest = known.reduce((length, { text }) => Math.max(length, text.length), 1);

  return (text) => {
    const whole = normalise(text);
    const endings: (Ending | undefined)[] = Array(whole.length + 1);
    const offer = (end: number, id: number, start: number, score: number): void => {
      const best = endings[end];
      if (!best || score > best.score) endings[end] = { id, start, score: Math.fround(score) };
    };
    for (let start = 0; start < whole.length; ) {
      const before = endings[start]?.score ?? 0;
      const next = start + ((whole.codePointAt(start) as number) > 0xffff ? 2 : 1);
      let hasCharacter = false;
      for (let end = next; end <= Math.min(whole.length, start + longest); end++) {
        const piece = byText.get(whole.slice(start, end));
        if (!piece) continue;
        offer(end, piece.id, start, before + piece.score);
        hasCharacter ||= end === next;
      }
      if (!hasCharacter) offer(next, unknown, start, Math.fround(before + unknownScore));
      start = next;
    }
    return joinUnknown(pathOf(endings), unknown);
  };
}

function pathOf(endings: readonly (Ending | undefined)[]): number[] {
  const ids: number[] = [];
  for (let end = endings.length - 1; end > 0; ) {
    const { id, start } = endings[end] as Ending;
    ids.push(id);
    end = start;
  }
  return ids.reverse();
}

function joinUnknown(ids: readonly number[], unknown: number): number[] {
  return ids.filter((id, i) => id !== unknown || ids[i - 1] !== unknown);
}
