import type { KindCounts, SeenCount } from '#store/contract.ts';
import { counted } from './output.ts';

/** Pictures and captions apart, for `--json`; null where that is not known. */
export function kindsJson(kinds: KindCounts<SeenCount> | null): object {
  return { images: kinds?.images ?? null, captions: kinds?.captions ?? null };
}

/** `3 pictures and 5 captions`; all items where it is not known how many are of which kind. */
export function inKinds(
  kinds: KindCounts<SeenCount> | null,
  count: keyof SeenCount,
  { isAll = false, items = 0 }: { readonly isAll?: boolean; readonly items?: number } = {},
): string {
  if (!kinds) return counted(items, 'item');
  const [pictures, captions] = [kinds.images[count], kinds.captions[count]];
  const rows = isAll ? items - pictures - captions : 0;
  const parts = [counted(pictures, 'picture'), counted(captions, 'caption')];
  if (rows > 0) parts.push(`${counted(rows, 'row')} that cannot be understood`);
  return parts.length === 2 ? parts.join(' and ') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}
