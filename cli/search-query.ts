import type { Config } from '#config/options.ts';
import { VlmoError } from '#errors.ts';
import { parseQueryText, type WeightedText } from '#search/compose-query.ts';

export type QueryFlags = Config<'image' | 'imageWeight' | 'id' | 'key' | 'source' | 'hybrid' | 'keywords'>;

/** What a user looks for. */
export interface AskedQuery {
  /** The parts of a request; a picture is read by whoever answers. */
  readonly parts:
    | { readonly id: string; readonly source?: string }
    | { readonly key: string }
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

/** Throws USAGE_INVALID for what does not go together. */
export function readQuery(text: string | undefined, flags: QueryFlags): AskedQuery {
  const { image, imageWeight, id, key, source } = flags;
  const stored = id ?? key;
  requireUsage(
    stored === undefined
      ? text !== undefined || image !== undefined
      : text === undefined && image === undefined && (id === undefined || key === undefined),
    'a text, --image FILE or both, or --id ID or --key KEY alone',
    stored === undefined ? 'none' : 'more',
  );
  requireUsage(id !== undefined || source === undefined, '--id beside --source', 'none');
  requireUsage(![text, image, id, key].some((given) => given?.trim() === ''), 'something', 'an empty one');
  requireUsage(image !== undefined || imageWeight === undefined, '--image beside --image-weight', 'none');
  const texts = text === undefined ? [] : parseQueryText(text);
  const keywords = readKeywords(texts, flags);
  if (key !== undefined) return { parts: { key }, texts: [], shown: key, keywords };
  if (id !== undefined) {
    const parts = { id, ...(source !== undefined && { source }) };
    return { parts, texts: [], shown: id, keywords };
  }
  const shown = [text, image].filter((given) => given !== undefined).join(' + ');
  return { parts: toParts(texts, flags), texts: texts.map((part) => part.text), shown, keywords };
}

/** The words of the text that hits are to be like, unless others are given. */
function readKeywords(texts: readonly WeightedText[], { hybrid, keywords }: QueryFlags): string | undefined {
  if (keywords !== undefined || !hybrid) return keywords;
  const wanted = texts.filter(({ weight }) => weight > 0).map(({ text }) => text);
  requireUsage(wanted.length > 0, 'a text or --keywords WORDS beside --hybrid', 'none');
  return wanted.join(' ');
}

function toParts(texts: readonly WeightedText[], { image, imageWeight }: QueryFlags): AskedQuery['parts'] {
  const [first] = texts;
  const isPlain = first?.weight === 1 && texts.length === 1;
  return {
    ...(isPlain ? { text: first.text } : texts.length > 0 && { texts: [...texts] }),
    ...(image !== undefined && { image }),
    ...(imageWeight !== undefined && { imageWeight }),
  };
}

function requireUsage(holds: boolean, expected: string, received: string): void {
  if (!holds)
    throw new VlmoError('USAGE_INVALID', `Cannot search: expected ${expected}, received ${received}`);
}
