import type { BrokenItem } from './item.ts';
import { quote } from './quote.ts';

/** What img2dataset writes about each address it was given. */
export const STATUS_COLUMNS = ['url', 'key', 'status', 'error_message'] as const;

/** Whether a table with these columns says what has become of its rows' pictures. */
export function isStatusTable(names: readonly string[]): boolean {
  return STATUS_COLUMNS.every((column) => names.includes(column));
}

/** A row whose picture img2dataset could not store, as a broken item: it is not tried again here. Nothing for other rows. */
export function statusItem(
  row: Readonly<Record<string, unknown>>,
  prefix: string,
  otherwise: string,
): readonly BrokenItem[] {
  const { url, key, status, error_message: reason } = row;
  if (status === 'success' || typeof status !== 'string') return [];
  const id = prefix + (typeof key === 'string' ? key : otherwise);
  const address = typeof url === 'string' ? url : id;
  const said = typeof reason === 'string' && reason !== '' ? `${status} (${reason.slice(0, 500)})` : status;
  const message = `Cannot index ${quote(address)}: expected a picture that img2dataset has stored, received its status ${said}`;
  return [{ kind: 'broken', id, uri: address, error: { code: 'ITEM_NOT_DOWNLOADED', message } }];
}
