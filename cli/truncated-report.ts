import type { Truncated } from '#store/contract.ts';
import { counted, printable } from './output.ts';

export function truncatedJson({ count, first }: Truncated): object {
  return { truncated: count, ...(count > 0 && { truncated_first: first }) };
}

/** What the model did not read to its end; no line where it read all. */
export function truncatedLines({ count, first }: Truncated): readonly string[] {
  if (count === 0) return [];
  const names = `${first.map(printable).join(', ')}${count > first.length ? ', …' : ''}`;
  return [`${counted(count, 'text')} cut at the length that the model reads: ${names}.`];
}
