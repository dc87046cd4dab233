import type { Hit } from '../api.ts';

/** Hands the hits to the browser as a file. */
export function exportHits(hits: readonly Hit[], format: 'json' | 'csv'): void {
  const [text, type] =
    format === 'json'
      ? [`${JSON.stringify(hits, null, 2)}\n`, 'application/json']
      : [toCsv(hits), 'text/csv'];
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = `hits.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

const COLUMNS = [
  'rank',
  'key',
  'source',
  'id',
  'kind',
  'uri',
  'score',
  'cosine',
  'match',
  'caption',
] as const;

/** As RFC 4180 has it. */
function toCsv(hits: readonly Hit[]): string {
  const lines = hits.map((hit) => [...COLUMNS.map((name) => hit[name] ?? ''), JSON.stringify(hit.meta)]);
  return [[...COLUMNS, 'meta'], ...lines].map((line) => line.map(cell).join(',')).join('\r\n');
}

function cell(value: unknown): string {
  // A spreadsheet takes a text that begins with these for a formula.
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
