import { schemeOf } from '#uri.ts';
import { readParquetPicture } from './parquet/read-parquet-picture.ts';
import { readPicture } from './read-picture.ts';

/** As `readPicture`, also of a row of a table, whose bytes have to be taken out of their page. */
export async function readContent(uri: string, maxBytes: number): Promise<Uint8Array> {
  return schemeOf(uri) === 'parquet+file' ? readParquetPicture(uri, maxBytes) : readPicture(uri, maxBytes);
}
