import type { Hit } from '../api.ts';

export interface Column {
  /** As the filter grammar writes it. */
  readonly name: string;
  readonly isNumber: boolean;
  /** Values seen among the hits. */
  readonly values: readonly string[];
}

const MAX_VALUES = 50;
const OWN = {
  images: ['width', 'height', 'bytes', 'format', 'id', 'indexed_at'],
  captions: ['caption', 'id', 'image_id', 'indexed_at'],
} as const;
const NUMBERS = new Set(['width', 'height', 'bytes']);

/** The columns that can be compared: those of every item, and what the hits carry from their source. */
export function columnsOf(hits: readonly Hit[], target: 'images' | 'captions'): Column[] {
  const found = new Map<string, unknown[]>();
  for (const { meta } of hits)
    for (const [name, value] of Object.entries(meta))
      if (value !== null && typeof value !== 'object') found.set(name, [...(found.get(name) ?? []), value]);
  const own = OWN[target].map((name) => ({ name, isNumber: NUMBERS.has(name), values: [] }));
  const carried = [...found].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...carried.map(([name, values]) => ({
      name: `meta.${/^[A-Za-z_]\w*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`}`,
      isNumber: values.every((value) => typeof value === 'number'),
      values: [...new Set(values.map(String))].toSorted().slice(0, MAX_VALUES),
    })),
    ...own,
  ];
}

export const OPERATORS = ['=', '!=', '>=', '<=', 'contains'] as const;
export type Operator = (typeof OPERATORS)[number];

/** A comparison in the filter grammar. */
export function toFilter({ name, isNumber }: Column, operator: Operator, value: string): string {
  if (operator === 'contains') return `${name} LIKE ${quote(`%${value.replace(/[\\%_]/g, '\\$&')}%`)}`;
  const isPlain = isNumber && value.trim() !== '' && Number.isFinite(Number(value));
  return `${name} ${operator} ${isPlain ? value.trim() : quote(value)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
