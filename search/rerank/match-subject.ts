import { VlmoError } from '#errors.ts';
import { type MatchPicture, storedPicture } from '#model/picture-reader.ts';
import type { GenerationTables, ItemKind } from '#store/contract.ts';
import { type AskedParts, partsOf } from '../query.ts';
import type { Search } from '../request.ts';
import { findStored, type StoredName, storedName } from '../stored-item.ts';

/** What of a query the candidates are read with: a text goes with pictures, a picture with captions. */
export type MatchSubject =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image'; readonly picture: MatchPicture };

/**
 * What of a request rows of its target are read with: what is stored under its id; else for pictures the text that they
 * are to be like, for captions the picture, while the other parts count in the cosine alone. Throws USAGE_INVALID where
 * there is none or more than one, SEARCH_ITEM_NOT_FOUND.
 */
export async function findSubject(
  tables: GenerationTables,
  request: AskedParts & Pick<Search, 'in'>,
): Promise<MatchSubject> {
  const target = request.in === 'images' ? 'image' : 'caption';
  const name = storedName(request);
  return name === undefined ? chooseSubject(request, target) : storedSubject(tables, name, target);
}

export function chooseSubject(asked: AskedParts, target: ItemKind): MatchSubject {
  const { texts, image } = partsOf(asked);
  if (target === 'caption') {
    if (image !== undefined && image.weight > 0) return { kind: 'image', picture: image.picture };
    throw unsuitable(target, texts.length > 0 ? 'text alone' : 'none');
  }
  const [wanted, ...more] = texts.filter(({ weight }) => weight > 0);
  if (wanted && more.length === 0) return { kind: 'text', text: wanted.text };
  throw unsuitable(target, wanted ? `${1 + more.length} texts` : image ? 'a picture alone' : 'none');
}

/** What is stored under a name, to be read with candidates. Throws SEARCH_ITEM_NOT_FOUND, ID_AMBIGUOUS, USAGE_INVALID. */
async function storedSubject(
  tables: GenerationTables,
  name: StoredName,
  target: ItemKind,
): Promise<MatchSubject> {
  const { kind, row } = await findStored(tables, name);
  const subject: MatchSubject =
    kind === 'image' ? { kind, picture: storedPicture(row) } : { kind: 'text', text: row.caption };
  requirePair(subject, target);
  return subject;
}

/** A cross-encoder reads a picture and a text. Throws USAGE_INVALID for two of one kind. */
export function requirePair({ kind }: Pick<MatchSubject, 'kind'>, target: ItemKind): void {
  if ((kind === 'text') === (target === 'image')) return;
  throw unsuitable(target, kind === 'text' ? 'text alone' : 'a picture alone');
}

function unsuitable(target: ItemKind, received: string): VlmoError {
  const expected =
    target === 'image' ? 'one text that pictures are to be like' : 'a picture that captions are to be like';
  return new VlmoError(
    'USAGE_INVALID',
    `Cannot re-rank ${target}s: expected ${expected}, since the model reads a picture and a text together, received ${received}`,
  );
}
