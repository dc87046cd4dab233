import { resolve } from 'node:path';
import type { CaptionRecord, ImageRecord } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { schemeOf } from '#uri.ts';
import type { MetadataRow } from './vector-folder.ts';

/** What a row of metadata says of a picture and of its caption, which a row may be without. */
export interface ImportedRow {
  readonly image: ImageRecord | undefined;
  readonly caption: CaptionRecord | undefined;
}

export interface RowContext {
  /** Folder of the vectors. */
  readonly folder: string;
  /** Name of the source; undefined where nobody named one. */
  readonly sourceName: string | undefined;
  readonly run: string;
  readonly now: Date;
  readonly hasImages: boolean;
  readonly hasTexts: boolean;
}

/** The records of a row; `place` is its part and its place in that. */
export function importedRow(row: MetadataRow, place: string, context: RowContext): ImportedRow {
  const own = ownImage(row, context);
  const image = context.hasImages ? (own ?? foreignImage(row, place, context)) : undefined;
  const text = textOf(row.caption);
  if (!context.hasTexts || text === undefined) return { image, caption: undefined };
  return {
    image,
    caption: ownCaption(row, text, context) ?? foreignCaption(row, text, place, image, context),
  };
}

/** A picture that this program exported: its key is made of its source and id. */
function ownImage(row: MetadataRow, { run, now, sourceName }: RowContext): ImageRecord | undefined {
  const [key, source, id, uri] = [row.key, row.source, row.id, row.uri].map(textOf);
  if (source === undefined || id === undefined || uri === undefined) return undefined;
  if (itemKey(source, 'image', id) !== key) return undefined;
  const named = sourceName ?? source;
  return {
    ...{ key: itemKey(named, 'image', id), source: named, id, uri },
    ...{ width: countOf(row.width), height: countOf(row.height), bytes: countOf(row.bytes) },
    ...{ sha256: textOf(row.sha256) ?? '', format: textOf(row.format) ?? '' },
    ...{ stamp: null, described: null, meta: metaOf(row.meta), indexedAt: now, run },
  };
}

function ownCaption(
  row: MetadataRow,
  caption: string,
  { run, now, sourceName }: RowContext,
): CaptionRecord | undefined {
  const [key, source, id] = [row.caption_key, row.caption_source, row.caption_id].map(textOf);
  if (source === undefined || id === undefined || itemKey(source, 'caption', id) !== key) return undefined;
  const imageSource = textOf(row.caption_image_source);
  const named = sourceName ?? source;
  return {
    ...{ key: itemKey(named, 'caption', id), source: named, id },
    ...{ uri: textOf(row.caption_uri) ?? '', caption },
    imageSource: imageSource === undefined ? null : (sourceName ?? imageSource),
    imageId: textOf(row.caption_image_id) ?? null,
    ...{ meta: metaOf(row.caption_meta), indexedAt: now, run },
  };
}

function foreignImage(row: MetadataRow, place: string, context: RowContext): ImageRecord {
  const { folder, sourceName: source = folder, run, now } = context;
  const [path, url] = [textOf(row.image_path), textOf(row.url)];
  const id = path ?? url ?? place;
  const isWeb = /^https?$/.test(schemeOf(url ?? '') ?? '');
  return {
    ...{ key: itemKey(source, 'image', id), source, id, uri: isWeb ? (url as string) : placeOf(id, folder) },
    ...{ width: countOf(row.width), height: countOf(row.height), bytes: 0 },
    ...{ sha256: /^[0-9a-f]{64}$/.exec(textOf(row.sha256) ?? '')?.[0] ?? '', format: '' },
    ...{ stamp: null, described: null, meta: restOf(row), indexedAt: now, run },
  };
}

function foreignCaption(
  row: MetadataRow,
  caption: string,
  place: string,
  image: ImageRecord | undefined,
  { folder, sourceName: source = folder, run, now }: RowContext,
): CaptionRecord {
  const id = image ? `${image.id}#0` : (textOf(row.image_path) ?? place);
  return {
    ...{ key: itemKey(source, 'caption', id), source, id, uri: image?.uri ?? folder, caption },
    ...{ imageSource: image ? source : null, imageId: image?.id ?? null },
    ...{ meta: image ? {} : restOf(row), indexedAt: now, run },
  };
}

/** A path that is not absolute is of the folder: whoever reads the picture works elsewhere. */
function placeOf(id: string, folder: string): string {
  return schemeOf(id) === undefined ? resolve(folder, id) : id;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A size in pixels or bytes; 0 where it is not known. */
function countOf(value: unknown): number {
  const number = Number(value ?? 0);
  return Number.isSafeInteger(number) && number >= 0 && number < 2 ** 31 ? number : 0;
}

function metaOf(value: unknown): ImageRecord['meta'] {
  const parsed = typeof value === 'string' ? parseJson(value) : value;
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
    ? (plain(parsed) as ImageRecord['meta'])
    : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const KNOWN: ReadonlySet<string> = new Set(['image_path', 'caption']);

/** The other columns. */
function restOf(row: MetadataRow): ImageRecord['meta'] {
  const rest = Object.entries(row).filter(([name, value]) => !KNOWN.has(name) && value !== null);
  return Object.fromEntries(rest.map(([name, value]) => [name, plain(value)]));
}

/** Values are nested no deeper than any of a source. */
const MAX_DEPTH = 20;

/** As JSON has it: whole numbers that a double is too coarse for as their digits, no bytes. */
function plain(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH || ArrayBuffer.isView(value)) return null;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.map((one) => plain(one, depth + 1));
  if (typeof value !== 'object' || value === null) return value ?? null;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one, depth + 1)]));
}
