import { type ColumnRules, resolveColumns } from './columns.ts';
import { isStatusTable, statusItem } from './img2dataset-status.ts';
import { createObjectRow } from './object-row.ts';
import type { AnyRow } from './row.ts';

/** Names of columns with the bytes of pictures, those of WebDataset and img2dataset too. */
const PICTURE_NAMES: ReadonlySet<string> = new Set(
  'image img picture photo image_bytes img_bytes jpg jpeg png webp'.split(' '),
);

/** Whether a column of bytes holds pictures: it is the one that is named, or has a usual name. */
export function holdsPictures(column: string, named: string | undefined): boolean {
  return named === undefined ? PICTURE_NAMES.has(column.toLowerCase()) : column === named;
}

/** Sorts the values of one row; `place` is where its picture lies, in a table with a column of pictures. */
export type PictureRow = (line: number, row: Readonly<Record<string, unknown>>, place?: string) => AnyRow;

/**
 * Rows of a table with these columns, of which `pictures` holds pictures where one does. Those without an id are known by `name` and
 * their line; of what img2dataset wrote, rows without a picture say why. Returns `expected …, received …` if a column is missing.
 */
export function createPictureRow(
  names: readonly string[],
  rules: ColumnRules,
  pictures: string | undefined,
  name: string,
): PictureRow | string {
  if (pictures === undefined) {
    const columns = resolveColumns(names, rules);
    return typeof columns === 'string' ? columns : createObjectRow(rules);
  }
  const ruled = { ...rules, named: { ...rules.named, imageColumn: pictures } };
  const columns = resolveColumns(names, ruled);
  if (typeof columns === 'string') return columns;
  const objectRow = createObjectRow(ruled);
  const hasStatus = isStatusTable(names);
  return (line, values, place) => {
    const { error_message: _, ...stored } = values;
    const [listed] = hasStatus ? statusItem(values, '', `${name}:${line}`) : [];
    if (listed) return { line, listed };
    const found = objectRow(line, { ...(hasStatus ? stored : values), [pictures]: place ?? null });
    const isNamed = !('meta' in found) || (found.id ?? found.imageId ?? undefined) !== undefined;
    return isNamed ? found : { ...found, imageId: `${name}:${line}` };
  };
}
