import { VlmoError } from '#errors.ts';
import type { MetItems } from './met-items.ts';

/** Fewer are soon indexed again. */
const MIN_HELD = 20;

/**
 * Why what a pass did not meet is not taken out: PRUNE_REFUSED; undefined where nothing speaks against it. `held` items of the source were
 * stored when the pass began, `gone` are missing now.
 */
export function pruneRefusal(
  source: string,
  met: Pick<MetItems, 'seen' | 'rows' | 'unread'>,
  held: number,
  gone: number,
  isAll: boolean,
): VlmoError | undefined {
  const refuse = (reason: string): VlmoError =>
    new VlmoError('PRUNE_REFUSED', `Cannot take out what source "${source}" no longer lists: ${reason}`);
  if (met.unread !== undefined)
    return refuse(`"${met.unread}" could not be read, and nobody knows what that lists`);
  if (isAll || gone === 0) return undefined;
  const [would, all] = [`${shown(gone)} of its ${shown(held)} items would go`, '--prune=all takes them out'];
  if (met.seen === 0) return refuse(`${would}, because it lists nothing; ${all}`);
  if (met.rows > 0)
    return refuse(
      `${would}, and ${shown(met.rows)} rows or sidecars could not be understood, which may name some of them; ${all}`,
    );
  if (held >= MIN_HELD && gone * 2 > held) return refuse(`${would}, more than half; ${all}`);
  return undefined;
}

function shown(count: number): string {
  return count.toLocaleString('en-US');
}
