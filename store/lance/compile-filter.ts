import { VlmoError } from '#errors.ts';
import type { Filter } from '#store/filter.ts';
import { type ColumnSql, conditionSql } from './condition-sql.ts';

/**
 * A filter as the SQL that Lance runs; undefined where there is none. `column` says what a column is there. Throws FILTER_INVALID for one that Lance's parser
 * cannot take.
 *
 * Parentheses stand only around an OR inside an AND: the parser fails at some dozen nested ones, takes exponential time
 * before that, and reads a deep `NOT (…)` as a function. For the same reason no NOT is ever written: negation goes down
 * to the conditions, which in a logic of true, false and unknown means the same.
 */
export function compileFilter(filter: Filter, column?: ColumnSql): string;
export function compileFilter(filter: Filter | undefined, column?: ColumnSql): string | undefined;
export function compileFilter(
  filter: Filter | undefined,
  column: ColumnSql = (name) => name,
): string | undefined {
  return filter && written(compile(filter, false, column));
}

/** A condition, or some joined. */
type Clause = string | Join;
interface Join {
  readonly operator: 'AND' | 'OR';
  readonly parts: readonly Clause[];
  /** How deeply parentheses are nested in its SQL. */
  readonly levels: number;
  /** How many conditions it has. */
  readonly terms: number;
}

/** `isNegated`: it stands below an odd number of NOTs. */
function compile(filter: Filter, isNegated: boolean, column: ColumnSql): Clause {
  if (filter.kind === 'not') return compile(filter.part, !isNegated, column);
  if (!('parts' in filter)) return conditionSql(filter, isNegated, column);
  const operator = (filter.kind === 'and') !== isNegated ? 'AND' : 'OR';
  return join(
    operator,
    filter.parts.map((part) => compile(part, isNegated, column)),
  );
}

/** Of the SQL: the parser gives up at 16. */
const MAX_LEVELS = 12;
/** Conditions that a filter may have once deep parts of it are multiplied out. */
const MAX_TERMS = 5000;

function join(operator: 'AND' | 'OR', parts: readonly Clause[]): Clause {
  const flat = parts.flatMap((part) =>
    typeof part !== 'string' && part.operator === operator ? part.parts : [part],
  );
  const [only] = flat;
  if (only !== undefined && flat.length === 1) return only;
  const inner = flat.map((part) => (typeof part === 'string' ? 0 : part.levels));
  const levels = Math.max(...inner) + (operator === 'AND' && flat.some(isOr) ? 1 : 0);
  const joined: Join = { operator, parts: flat, levels, terms: flat.reduce((sum, p) => sum + termsOf(p), 0) };
  return levels > MAX_LEVELS ? multiplyOut(joined) : joined;
}

/** `a AND (b OR c)` as `a AND b OR a AND c`, which needs no parentheses. */
function multiplyOut({ parts }: Join): Clause {
  let products: Clause[][] = [[]];
  for (const part of parts) {
    const choices = isOr(part) ? part.parts : [part];
    products = products.flatMap((product) => choices.map((choice) => [...product, choice]));
    const terms = products.reduce((sum, product) => sum + product.reduce((n, p) => n + termsOf(p), 0), 0);
    if (terms > MAX_TERMS) throw tooDeep();
  }
  return join(
    'OR',
    products.map((product) => join('AND', product)),
  );
}

function isOr(clause: Clause): clause is Join {
  return typeof clause !== 'string' && clause.operator === 'OR';
}

function termsOf(clause: Clause): number {
  return typeof clause === 'string' ? 1 : clause.terms;
}

function written(clause: Clause): string {
  if (typeof clause === 'string') return clause;
  const parts = clause.parts.map((part) =>
    clause.operator === 'AND' && isOr(part) ? `(${written(part)})` : written(part),
  );
  return parts.join(` ${clause.operator} `);
}

function tooDeep(): VlmoError {
  return new VlmoError(
    'FILTER_INVALID',
    `Cannot use the filter: expected at most ${MAX_LEVELS} levels of OR inside AND, or fewer conditions below them, received more`,
  );
}
