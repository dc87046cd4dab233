import { VlmoError } from '#errors.ts';

const RANGE = /\{(\d+)\.\.(\d+)\}/;
const MAX_NAMES = 100_000;

/** The names that `shard-{000..012}.tar` means, each number as wide as the first is written; the name itself without a range. */
export function expandRanges(spec: string): readonly string[] {
  const [whole, from = '', to = ''] = RANGE.exec(spec) ?? [];
  if (whole === undefined) return [spec];
  const [first, last] = [Number(from), Number(to)];
  if (last < first || last - first >= MAX_NAMES)
    throw new VlmoError(
      'USAGE_INVALID',
      `Cannot open source "${spec}": expected a range of at most ${MAX_NAMES} numbers that rise, received ${whole}`,
    );
  return Array.from({ length: last - first + 1 }, (_, n) =>
    expandRanges(spec.replace(whole, String(first + n).padStart(from.length, '0'))),
  ).flat();
}
