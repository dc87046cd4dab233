import type { GenerationRecord } from '#store/contract.ts';
import { INDEX_FORMAT } from '#store/lance/index-folder.ts';
import type { IndexReport } from '#store/lance/inspect-tables.ts';
import { RENEWABLE_TABLES, wayOut } from '#store/lance/store-errors.ts';
import type { Finding } from '../finding.ts';

/** Whether every table opens, and all of it can be read. */
export function checkTables(index: string, { folder, tables }: IndexReport): Finding {
  const broken = tables.filter(({ fault }) => fault !== undefined);
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const data = { format: folder.format, rows, tables };
  const wrong = tables.filter(({ wrongIndexes }) => wrongIndexes.length > 0);
  if (broken.length > 0) {
    const each = broken.map(({ name, fault }) => `"${name}" (${fault})`).join('; ');
    const [first = ''] = broken.map(({ name }) => name).sort((a, b) => rank(a) - rank(b));
    const way = `restore "lance/${first}.lance" and its like from a backup, or ${wayOut(first, index)}`;
    return { name: 'tables', state: 'broken', detail: `gone or damaged: ${each}; ${way}`, data };
  }
  if (wrong.length > 0) {
    const each = wrong.map(({ name, wrongIndexes }) => `"${name}" (${wrongIndexes.join(', ')})`).join('; ');
    const way = `bring them up to date: vlmo optimize --index ${index}`;
    return {
      name: 'tables',
      state: 'broken',
      detail: `indexes cover other rows than there are: ${each}; ${way}`,
      data,
    };
  }
  const older = folder.format < INDEX_FORMAT;
  const note = older
    ? `; of format ${folder.format}, which the next "vlmo index" brings to ${INDEX_FORMAT}`
    : '';
  const detail = `all ${tables.length} tables with ${rows} rows can be read${note}`;
  return { name: 'tables', state: older ? 'note' : 'ok', detail, data };
}

/** What cannot be made anew decides what can be done. */
function rank(name: string): number {
  return RENEWABLE_TABLES.has(name) ? 1 : 0;
}

/** Whether each generation has its tables, and each collection the generation that serves it. */
export function checkRegistry(
  { tables }: IndexReport,
  generations: readonly GenerationRecord[],
  active: ReadonlyMap<string, string | undefined>,
): { readonly finding: Finding; readonly stray: readonly string[] } {
  const names = new Set(tables.map(({ name }) => name));
  const wanted = generations.flatMap(({ name }) => [`${name}.images`, `${name}.captions`]);
  const lost = wanted.filter((name) => !names.has(name));
  const idle = [...active].filter(([, name]) => !generations.some((record) => record.name === name));
  const stray = [...names].filter((name) => /\.(images|captions)$/.test(name) && !wanted.includes(name));
  const data = {
    collections: [...active.keys()],
    generations: generations.map(({ name }) => name),
    lost,
    stray,
  };
  const wrong = [
    ...lost.map((name) => `table "${name}" is gone`),
    ...idle.map(([collection]) => `no generation that is known serves collection "${collection}"`),
  ];
  if (wrong.length > 0) {
    const detail = `${wrong.join('; ')}; restore the folder "lance" from a backup, or index anew into another folder`;
    return { finding: { name: 'index', state: 'broken', detail, data }, stray };
  }
  const detail = `it opens: ${active.size} collections, ${generations.length} generations`;
  return { finding: { name: 'index', state: 'ok', detail, data }, stray };
}
