import type { z } from 'zod';
import { type ErrorCode, VlmoError } from '#errors.ts';

/** What data is refused as: the error's code, and what could not be done with it. */
export interface Refusal {
  readonly code: ErrorCode;
  /** As in `take job`. */
  readonly action: string;
}

/** What is nested deeper cannot be sent to another process. Sources allow as much. */
const MAX_NESTED = 100;

/** Data as its schema has it. Throws the code of `refusal`, which names the field, what was expected and what was found. */
export function parseGiven<T>(schema: z.ZodType<T>, data: unknown, { code, action }: Refusal): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const { path, expected } = describeIssue(parsed.error.issues[0]);
  const field = path.length > 0 ? `"${path.join('.')}"` : 'its data';
  const received = show(data, path);
  throw new VlmoError(
    code,
    `Cannot ${action}: expected ${field} to be right (${expected}), received ${received}`,
    { details: { field: path.join('.'), expected, received } },
  );
}

/** Whether every value lies at most so deep. */
export function isNestedWithin(value: unknown, levels = MAX_NESTED): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((one) => isNestedWithin(one, levels - 1));
}

/** Where it is wrong, and what belongs there. */
function describeIssue(issue: z.core.$ZodIssue | undefined): { path: PropertyKey[]; expected: string } {
  const path = issue?.path ?? [];
  if (issue?.code === 'unrecognized_keys')
    return { path: [...path, ...issue.keys.slice(0, 1)], expected: 'left out: there is no such field' };
  const said = issue?.message ?? 'another value';
  const expected = said.replace(/^(Invalid|Too) [a-z ]+[:.] expected /i, '').replace(/, received \w+$/, '');
  return { path, expected: short(expected) };
}

/** The value at a path, short. */
function show(data: unknown, path: readonly PropertyKey[]): string {
  let value = data;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return short(isNestedWithin(value) ? (JSON.stringify(value) ?? 'nothing') : 'deeper ones');
}

function short(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
