import type { Config } from '#config/options.ts';
import { VlmoError } from '#errors.ts';
import { readPicture } from '#pictures/read-picture.ts';
import { parseQueryText, type WeightedText } from '#search/compose-query.ts';
import type { Query } from '#search/query.ts';
import { absoluteUri } from '#uri.ts';

export type QueryFlags = Config<'image' | 'imageWeight' | 'id' | 'hybrid' | 'keywords' | 'maxImageBytes'>;

/** What a user looks for. */
export interface AskedQuery {
  /** For a search in this process. */
  readonly query: Query;
  /** The same for a worker, which reads a picture by its path. */
  readonly job:
    | { readonly id: string }
    | {
        readonly text?: string;
        readonly texts?: WeightedText[];
        readonly image?: string;
        readonly imageWeight?: number;
      };
  /** The texts in it. */
  readonly texts: readonly string[];
  /** For people. */
  readonly shown: string;
  readonly keywords: string | undefined;
}

/** Throws USAGE_INVALID for what does not go together, and what reading a picture throws. */
export function readQuery(text: string | undefined, flags: QueryFlags): AskedQuery {
  const { image, imageWeight, id } = flags;
  requireUsage(
    id === undefined ? text !== undefined || image !== undefined : text === undefined && image === undefined,
    'a text, --image FILE or both, or --id ID alone',
    id === undefined ? 'none' : 'more',
  );
  requireUsage(![text, image, id].some((given) => given?.trim() === ''), 'something', 'an empty one');
  requireUsage(image !== undefined || imageWeight === undefined, '--image beside --image-weight', 'none');
  const texts = text === undefined ? [] : parseQueryText(text);
  const keywords = readKeywords(texts, flags);
  if (id !== undefined) return { query: { kind: 'id', id }, job: { id }, texts: [], shown: id, keywords };
  const shown = [text, image].filter((given) => given !== undefined).join(' + ');
  return {
    ...{ query: toQuery(texts, flags), job: toJob(texts, flags), shown, keywords },
    texts: texts.map((part) => part.text),
  };
}

/** The words of the text that hits are to be like, unless others are given. */
function readKeywords(texts: readonly WeightedText[], { hybrid, keywords }: QueryFlags): string | undefined {
  if (keywords !== undefined || !hybrid) return keywords;
  const wanted = texts.filter(({ weight }) => weight > 0).map(({ text }) => text);
  requireUsage(wanted.length > 0, 'a text or --keywords WORDS beside --hybrid', 'none');
  return wanted.join(' ');
}

function toQuery(
  texts: readonly WeightedText[],
  { image, imageWeight: weight = 1, maxImageBytes }: QueryFlags,
): Query {
  const [first] = texts;
  if (first?.weight === 1 && texts.length === 1 && image === undefined) {
    return { kind: 'text', text: first.text };
  }
  if (image === undefined) return { kind: 'composed', texts };
  const picture = { bytes: readPicture(image, maxImageBytes), name: image };
  return { kind: 'composed', texts, image: { ...picture, weight } };
}

function toJob(texts: readonly WeightedText[], { image, imageWeight }: QueryFlags): AskedQuery['job'] {
  const [first] = texts;
  const isPlain = first?.weight === 1 && texts.length === 1;
  return {
    ...(isPlain ? { text: first.text } : texts.length > 0 && { texts: [...texts] }),
    ...(image !== undefined && { image: absoluteUri(image) }),
    ...(imageWeight !== undefined && { imageWeight }),
  };
}

function requireUsage(holds: boolean, expected: string, received: string): void {
  if (!holds)
    throw new VlmoError('USAGE_INVALID', `Cannot search: expected ${expected}, received ${received}`);
}
