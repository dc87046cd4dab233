import type { SplitFilter } from '#evaluate/read-split.ts';
import { parseFilter } from '#search/filter/filter.ts';

/** One filter for pictures and captions. Throws FILTER_INVALID for what only one of them has. */
export function splitFilter(where: string | undefined): SplitFilter {
  if (where === undefined) return { images: undefined, captions: undefined };
  return { images: parseFilter(where, 'image'), captions: parseFilter(where, 'caption') };
}
