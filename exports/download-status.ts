import type { ErrorCode } from '#errors.ts';

/** img2dataset knows two ways to fail: nothing came, or what came is no picture. */
export function downloadStatus(code: ErrorCode): 'failed_to_download' | 'failed_to_resize' {
  return NOTHING_CAME.has(code) ? 'failed_to_download' : 'failed_to_resize';
}

const NOTHING_CAME: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ITEM_NOT_FOUND',
  'ITEM_UNREADABLE',
  'URL_UNSUPPORTED',
  'URL_REFUSED',
  'DOWNLOAD_FAILED',
  'SOURCE_OUTSIDE',
  'SOURCE_ROW_INVALID',
]);
