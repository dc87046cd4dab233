import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { envName, type OptionSpec } from '#config/option.ts';
import { OPTION_GROUPS } from '#config/options.ts';

/** The tables of docs/configuration.md, as `config/` has them. Run as a program it puts them below their headings. */

const DOC = fileURLToPath(new URL('../docs/configuration.md', import.meta.url));
const HEAD = ['flag', 'environment', 'in the file', 'takes', 'default', 'meaning'];

/** By the headings they stand under. */
export function optionTables(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(OPTION_GROUPS).map(([heading, options]) => [
      heading,
      alignedTable([HEAD, ...Object.entries<OptionSpec>(options).map(toRow)]),
    ]),
  );
}

/** The doc with the tables in it: each takes the place of the first table below its heading. */
export function withTables(doc: string, tables: ReadonlyMap<string, string>): string {
  let filled = doc;
  for (const [heading, table] of tables) {
    const place = new RegExp(`(\n#+ ${heading}\n(?:(?![#|]).*\n)*)(?:\\|.*\n)+`);
    if (!place.test(filled)) throw new Error(`docs/configuration.md has no table below "${heading}"`);
    filled = filled.replace(place, (_, before: string) => `${before}${table}`);
  }
  return filled;
}

function toRow([name, spec]: [string, OptionSpec]): string[] {
  const { flag, type, sentence } = spec;
  const initial = spec.defaultWords ?? (spec.default === undefined ? '' : String(spec.default));
  return [
    `\`${flag}\``,
    `\`${envName(spec)}\``,
    `\`${name}\``,
    type.range || 'a text',
    initial,
    `${sentence}.`,
  ];
}

function alignedTable(rows: readonly (readonly string[])[]): string {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const rule = widths.map((width) => '-'.repeat(width));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |\n`;
  const [head = [], ...body] = rows;
  return [head, rule, ...body].map(line).join('');
}

if (import.meta.main) await writeFile(DOC, withTables(await readFile(DOC, 'utf8'), optionTables()));
