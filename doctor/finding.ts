/** What one check found: it works, something optional is not there, some items are wrong, or something needed is broken. */
export type FindingState = 'ok' | 'note' | 'faulty' | 'broken';

export interface Finding {
  /** What was checked, in a word or two. */
  readonly name: string;
  readonly state: FindingState;
  /** What was found, in one line; where something is missing, with how to get it. */
  readonly detail: string;
  /** The same in numbers and names, for `--json`. */
  readonly data?: Readonly<Record<string, unknown>>;
}
