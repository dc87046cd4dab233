/** A piece of SQL that is true, false or unknown. */
export interface Condition {
  readonly sql: string;
  /** What joins its parts; undefined for a single comparison. */
  readonly operator?: 'AND' | 'OR' | undefined;
  /** How deeply its parentheses are nested. */
  readonly levels: number;
}

export function comparison(sql: string): Condition {
  return { sql, levels: 0 };
}

/**
 * Conditions joined by AND or OR, with parentheses only around an OR inside an AND: the store's parser fails at
 * some dozen nested ones, takes exponential time before that, and reads a deep `NOT (…)` as a function. For the
 * same reason no NOT is ever written: negation goes down to the comparisons (`negatedOperator`), which in SQL's
 * logic of true, false and unknown means the same.
 */
export function join(parts: readonly Condition[], operator: 'AND' | 'OR'): Condition {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const grouped = parts.map((part) => {
    const { sql, levels } = part;
    return operator === 'AND' && part.operator === 'OR'
      ? { sql: `(${sql})`, levels: levels + 1 }
      : { sql, levels };
  });
  const levels = Math.max(...grouped.map((part) => part.levels));
  return { sql: grouped.map((part) => part.sql).join(` ${operator} `), operator, levels };
}

/** The longest first, so that a reader that tries them in turn never takes `<` for `<=`. */
export const COMPARISON_OPERATORS = ['!=', '<>', '<=', '>=', '=', '<', '>'] as const;
export type ComparisonOperator = (typeof COMPARISON_OPERATORS)[number];

/** `a < b` is `NOT (a >= b)`. */
export function negatedOperator(operator: ComparisonOperator): ComparisonOperator {
  return NEGATED[operator];
}

const NEGATED = { '=': '!=', '!=': '=', '<>': '=', '<': '>=', '>=': '<', '>': '<=', '<=': '>' } as const;
