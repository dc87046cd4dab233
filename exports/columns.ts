import type { CaptionRecord, FailureRecord, ImageRecord } from '#store/contract.ts';
import { pictureKey } from '#store/item-key.ts';
import { filePath, schemeOf } from '#uri.ts';
import { downloadStatus } from './download-status.ts';

/** One column of what is written, whatever the files are. */
export interface Column {
  readonly name: string;
  readonly type: 'text' | 'int32' | 'int64' | 'time' | 'bool' | 'json';
  readonly value: (row: never) => unknown;
}

/** A picture and the caption that stands for it: the one with the smallest id. */
export interface ImageRow {
  readonly image: ImageRecord;
  readonly caption: string | null;
}

export const IMAGE_COLUMNS = columns<ImageRow>([
  ['key', 'text', ({ image }) => image.key],
  ['source', 'text', ({ image }) => image.source],
  ['id', 'text', ({ image }) => image.id],
  ['uri', 'text', ({ image }) => image.uri],
  ['caption', 'text', ({ caption }) => caption],
  ['width', 'int32', ({ image }) => image.width],
  ['height', 'int32', ({ image }) => image.height],
  ['bytes', 'int64', ({ image }) => image.bytes],
  ['sha256', 'text', ({ image }) => image.sha256],
  ['format', 'text', ({ image }) => image.format],
  ['meta', 'json', ({ image }) => image.meta],
  ['indexed_at', 'time', ({ image }) => image.indexedAt],
  ['run', 'text', ({ image }) => image.run],
]);

export const CAPTION_COLUMNS = columns<CaptionRecord>([
  ['key', 'text', (row) => row.key],
  ['source', 'text', (row) => row.source],
  ['id', 'text', (row) => row.id],
  ['uri', 'text', (row) => row.uri],
  ['caption', 'text', (row) => row.caption],
  ['image_key', 'text', pictureKey],
  ['image_source', 'text', (row) => row.imageSource],
  ['image_id', 'text', (row) => row.imageId],
  ['meta', 'json', (row) => row.meta],
  ['indexed_at', 'time', (row) => row.indexedAt],
  ['run', 'text', (row) => row.run],
]);

/** img2dataset's columns first. */
export const FAILURE_COLUMNS = columns<FailureRecord>([
  ['url', 'text', (row) => row.uri],
  ['key', 'text', (row) => row.key],
  ['status', 'text', (row) => downloadStatus(row.code)],
  ['error_message', 'text', (row) => row.message],
  ['source', 'text', (row) => row.source],
  ['id', 'text', (row) => row.id],
  ['kind', 'text', (row) => row.kind],
  ['code', 'text', (row) => row.code],
  ['attempts', 'int32', (row) => row.attempts],
  ['retriable', 'bool', (row) => row.retriable],
  ['failed_at', 'time', (row) => row.failedAt],
  ['run', 'text', (row) => row.run],
]);

/** A row of clip-retrieval's layout: a picture with its first caption, or a caption where there are no pictures. */
export interface PairRow {
  readonly image: ImageRecord | null;
  readonly caption: CaptionRecord | null;
}

const ofImage = <Value>(value: (image: ImageRecord) => Value) => {
  return ({ image }: PairRow): Value | null => image && value(image);
};
const ofCaption = <Value>(value: (caption: CaptionRecord) => Value) => {
  return ({ caption }: PairRow): Value | null => caption && value(caption);
};

/** clip-retrieval's columns first, as it writes them of pictures and captions, then those that its readers show. */
export const PAIR_COLUMNS = columns<PairRow>([
  ['image_path', 'text', ofImage(({ uri }) => plainPath(uri))],
  ['caption', 'text', ofCaption(({ caption }) => caption)],
  ['url', 'text', ofImage(({ uri }) => (/^https?$/.test(schemeOf(uri) ?? '') ? uri : null))],
  ['key', 'text', ofImage(({ key }) => key)],
  ['source', 'text', ofImage(({ source }) => source)],
  ['id', 'text', ofImage(({ id }) => id)],
  ['uri', 'text', ofImage(({ uri }) => uri)],
  ['width', 'int32', ofImage(({ width }) => width)],
  ['height', 'int32', ofImage(({ height }) => height)],
  ['bytes', 'int64', ofImage(({ bytes }) => bytes)],
  ['sha256', 'text', ofImage(({ sha256 }) => sha256)],
  ['format', 'text', ofImage(({ format }) => format)],
  ['meta', 'json', ofImage(({ meta }) => meta)],
  ['caption_key', 'text', ofCaption(({ key }) => key)],
  ['caption_source', 'text', ofCaption(({ source }) => source)],
  ['caption_id', 'text', ofCaption(({ id }) => id)],
  ['caption_uri', 'text', ofCaption(({ uri }) => uri)],
  ['caption_image_source', 'text', ofCaption(({ imageSource }) => imageSource)],
  ['caption_image_id', 'text', ofCaption(({ imageId }) => imageId)],
  ['caption_meta', 'json', ofCaption(({ meta }) => meta)],
]);

type Given<Row> = readonly [name: string, type: Column['type'], value: (row: Row) => unknown];

function columns<Row>(given: readonly Given<Row>[]): readonly Column[] {
  return given.map(([name, type, value]) => ({ name, type, value: value as Column['value'] }));
}

/** A path where it is one; what a file of another kind, or of bytes that are no text, is called, as it is. */
function plainPath(uri: string): string {
  if (schemeOf(uri) !== 'file') return uri;
  const path = filePath(uri);
  return typeof path === 'string' ? path : uri;
}
