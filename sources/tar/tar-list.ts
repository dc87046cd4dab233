import { basename, dirname, relative, sep } from 'node:path';
import { VlmoError } from '#errors.ts';

/** As the `braceexpand` of WebDataset has them: `{000..012}`, `{0..90..10}`, `{train,val}`. */
const BRACES = /\{(?:(\d+)\.\.(\d+)(?:\.\.(\d+))?|([^{},]*(?:,[^{},]*)+))\}/;
const BETWEEN = '::';
const MAX_TARS = 100_000;

/**
 * The tars that a text names, each once: `a.tar::b.tar` is two, `shard-{000..012}.tar` thirteen. Throws USAGE_INVALID for more than
 * 100,000.
 */
export function listTars(spec: string): readonly string[] {
  const named = new Set<string>();
  for (const one of spec.split(BETWEEN)) expand(one, spec, named);
  return [...named];
}

function expand(text: string, spec: string, into: Set<string>): void {
  const found = BRACES.exec(text);
  if (!found) {
    into.add(text);
    if (into.size > MAX_TARS) throw tooMany(spec);
    return;
  }
  const [whole, from, to = '', step = '1', list = ''] = found;
  const values = from === undefined ? list.split(',') : numbers(from, to, Number(step), spec);
  const [before, behind] = [text.slice(0, found.index), text.slice(found.index + whole.length)];
  for (const value of values) expand(before + value + behind, spec, into);
}

/** From the one to the other, downwards too; as wide as the wider one where one of them begins with a zero. */
function* numbers(from: string, to: string, step: number, spec: string): Generator<string> {
  const [first, last] = [Number(from), Number(to)];
  const isPadded = [from, to].some((one) => one.length > 1 && one.startsWith('0'));
  const width = isPadded ? Math.max(from.length, to.length) : 1;
  const count = Math.floor(Math.abs(last - first) / Math.max(1, step)) + 1;
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || count > MAX_TARS) throw tooMany(spec);
  const sign = last < first ? -1 : 1;
  for (let n = 0; n < count; n++) yield String(first + sign * n * Math.max(1, step)).padStart(width, '0');
}

/** What the ids of tars begin with, in their order: the path of each from the folder that they share, its own name where it is alone. */
export function namesOf(paths: readonly string[]): readonly string[] {
  const [first = ''] = paths;
  if (paths.length === 1) return [basename(first)];
  let shared = dirname(first);
  for (const path of paths) while (!isBelow(path, shared)) shared = dirname(shared);
  return paths.map((path) => relative(shared, path).split(sep).join('/'));
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep) || dirname(folder) === folder;
}

function tooMany(spec: string): VlmoError {
  return new VlmoError(
    'USAGE_INVALID',
    `Cannot open source "${spec}": expected at most ${MAX_TARS} tars, received more`,
  );
}
