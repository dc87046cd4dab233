import { VlmoError } from '#errors.ts';
import type { GenerationTables, ItemKind } from '#store/contract.ts';
import type { WeightedText } from '../compose-query.ts';
import type { Picture } from './cross-encoder.ts';

/** What of a query the candidates are read with: a text goes with pictures, a picture with captions. */
export type MatchSubject =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image'; readonly picture: Picture };

/** The parts of a query; how much a part counts may be below 0. */
export interface SubjectParts {
  readonly texts: readonly WeightedText[];
  readonly image?: { readonly weight: number } | undefined;
}

/**
 * Chooses the part of a query that candidates of this kind are read with: for pictures the text that they are to be
 * like, for captions the picture; the other parts count in the cosine alone. Throws USAGE_INVALID where there is none
 * or more than one.
 */
export function chooseSubject(
  { texts, image }: SubjectParts,
  target: ItemKind,
): { readonly kind: 'text'; readonly text: string } | { readonly kind: 'image' } {
  if (target === 'caption') {
    if (image !== undefined && image.weight > 0) return { kind: 'image' };
    throw unsuitable(target, texts.length > 0 ? 'text alone' : 'none');
  }
  const [wanted, ...more] = texts.filter(({ weight }) => weight > 0);
  if (wanted && more.length === 0) return { kind: 'text', text: wanted.text };
  throw unsuitable(target, wanted ? `${1 + more.length} texts` : image ? 'a picture alone' : 'none');
}

/** What is stored under an id, to be read with candidates. Throws SEARCH_ITEM_NOT_FOUND, USAGE_INVALID. */
export async function storedSubject(
  { images, captions, record }: GenerationTables,
  id: string,
  target: ItemKind,
): Promise<MatchSubject> {
  const picture = (await images.find([id])).get(id);
  const caption = picture ? undefined : (await captions.find([id])).get(id);
  if (!picture && !caption) {
    throw new VlmoError(
      'SEARCH_ITEM_NOT_FOUND',
      `Cannot re-rank by id "${id}": expected an id stored in collection "${record.collection}", received one that is not`,
    );
  }
  const subject: MatchSubject = picture
    ? { kind: 'image', picture: picture.uri }
    : { kind: 'text', text: caption?.caption ?? '' };
  requirePair(subject, target);
  return subject;
}

/** The fusion encoder reads a picture and a text. Throws USAGE_INVALID for two of one kind. */
export function requirePair({ kind }: Pick<MatchSubject, 'kind'>, target: ItemKind): void {
  if ((kind === 'text') === (target === 'image')) return;
  throw unsuitable(target, kind === 'text' ? 'text alone' : 'a picture alone');
}

function unsuitable(target: ItemKind, received: string): VlmoError {
  const expected =
    target === 'image' ? 'one text that pictures are to be like' : 'a picture that captions are to be like';
  return new VlmoError(
    'USAGE_INVALID',
    `Cannot re-rank ${target}s: expected ${expected}, since the fusion encoder reads a picture and a text together, received ${received}`,
  );
}
