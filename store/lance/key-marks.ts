export const KEY_MARK = 'lance-schema:unenforced-primary-key';

/** What tells Lance which columns tell rows apart, so that it sees two commits that insert the same ones. */
export function keyMarks(position: number): Record<string, string> {
  return { [KEY_MARK]: 'true', [`${KEY_MARK}:position`]: String(position + 1) };
}
