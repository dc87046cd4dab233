import { createHash, randomUUID } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { z } from 'zod';
import { VlmoError } from '#errors.ts';
import { collectionSchema, nameSchema, textSchema } from '#search/request.ts';
import { pictureBodySchema, readPictureBody } from '../bodies/picture-body.ts';
import type { ServerParts } from '../parts.ts';
import type { JobSource } from './job-runner.ts';
import { requirePicture } from './picture-ending.ts';
import { UPLOADS } from './uploads.ts';

const meta = z.record(z.string(), z.unknown()).default({});
const itemSchema = z.union([
  z.strictObject({
    kind: z.literal('image'),
    id: nameSchema.optional().describe('Left out, made of its content'),
    image: z
      .union([pictureBodySchema, z.strictObject({ file: nameSchema })])
      .describe('{file} is one of the form'),
    captions: z.array(textSchema).max(100).default([]),
    meta,
  }),
  z.strictObject({
    kind: z.literal('caption'),
    id: nameSchema,
    caption: textSchema.min(1),
    imageId: nameSchema.nullable().default(null),
    meta,
  }),
]);
export const jobBodySchema = z
  .strictObject({
    collection: collectionSchema.default('default'),
    items: z.array(itemSchema).min(1).max(1000).optional(),
    source: nameSchema.optional().describe('A folder or table inside of a folder that the server may read'),
    manifest: nameSchema.optional().describe('A table that is uploaded as this file of the form'),
    sourceName: nameSchema.optional().describe('Beside source: what the index knows it by'),
    retryFailed: z.boolean().default(false),
  })
  .refine(
    ({ items, source, manifest }) =>
      [items, source, manifest].filter((one) => one !== undefined).length === 1,
    'one of items, source and manifest',
  )
  .meta({ id: 'JobRequest' });

export type JobBody = z.output<typeof jobBodySchema>;
type Item = NonNullable<JobBody['items']>[number];
type SourceItem =
  Exclude<JobSource, string> extends { items(...asked: never[]): AsyncIterable<infer One> } ? One : never;

/** Files of the form, by their names. */
export type JobFiles = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

export interface JobPlan {
  readonly source: JobSource;
  readonly sourceName: string | undefined;
  /** Folders that it may read. */
  readonly roots: readonly string[] | undefined;
}

/** What a job is to index; what was uploaded is kept first. Throws SOURCE_OUTSIDE, UPLOAD_QUOTA, IMAGE_INVALID. */
export async function planJob(
  body: JobBody,
  files: JobFiles,
  run: string,
  { parts, signal }: { parts: ServerParts; signal: AbortSignal },
): Promise<JobPlan> {
  const { source, sourceName, manifest, items = [] } = body;
  const { uploads } = parts;
  const roots = parts.config.sourceRoots ?? [];
  if (source !== undefined) {
    if (roots.length > 0) return { source, sourceName, roots };
    throw new VlmoError(
      'SOURCE_OUTSIDE',
      `Cannot read "${source}": expected a folder that the server may read (--source-root names them), received none`,
    );
  }
  if (manifest !== undefined) {
    const ending = /\.(csv|tsv|jsonl|ndjson|json|parquet)$/i.exec(manifest)?.[0]?.toLowerCase() ?? '.csv';
    const path = await uploads.keep(fileOf(files, manifest, 'manifest'), ending);
    return {
      source: await realpath(path),
      sourceName: sourceName ?? path,
      roots: [...roots, uploads.folder],
    };
  }
  const found: SourceItem[] = [];
  for (const [i, item] of items.entries())
    found.push(...(await toItems(item, `items.${i}`, files, { parts, signal })));
  return { source: listSource(found, run), sourceName: undefined, roots: undefined };
}

/** Id of the run of a job: the same for the same idempotency key of the same client. */
export function runOf(idempotencyKey: string | undefined, client: string, index: string): string {
  if (idempotencyKey === undefined) return randomUUID();
  const hex = createHash('sha256')
    .update(JSON.stringify([index, client, idempotencyKey]))
    .digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

async function toItems(
  item: Item,
  field: string,
  files: JobFiles,
  { parts, signal }: { parts: ServerParts; signal: AbortSignal },
): Promise<SourceItem[]> {
  const { id, meta: own } = item;
  if (item.kind === 'caption') {
    const { caption, imageId } = item;
    return [
      {
        kind: 'caption',
        source: UPLOADS,
        id: item.id,
        imageId,
        uri: UPLOADS,
        caption,
        meta: own,
      } as SourceItem,
    ];
  }
  const bytes =
    'file' in item.image
      ? fileOf(files, item.image.file, `${field}.image.file`)
      : await readPictureBody(item.image, `${field}.image`, parts, signal);
  const uri = await parts.uploads.keep(bytes, requirePicture(bytes, field));
  const name = id ?? createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  const captions = item.captions.map((caption, n) => ({
    ...{ kind: 'caption', source: UPLOADS, id: `${name}#${n}`, imageId: name, uri, caption, meta: own },
  }));
  return [{ kind: 'image', source: UPLOADS, id: name, uri, meta: own }, ...captions] as SourceItem[];
}

function fileOf(files: JobFiles, name: string, field: string): Uint8Array<ArrayBuffer> {
  const bytes = files.get(name);
  if (bytes) return bytes;
  const details = { field, expected: 'a file of the form', received: JSON.stringify(name.slice(0, 100)) };
  throw new VlmoError(
    'REQUEST_INVALID',
    `Cannot take the job: expected "${field}" to be a file of the form, received ${details.received}`,
    { details },
  );
}

/** A run has a source of its own, so that it never seems to be a whole pass over all uploads. */
function listSource(items: readonly SourceItem[], run: string): JobSource {
  let given = 0;
  return {
    uri: `${UPLOADS} of ${run}`,
    fraction: () => given / items.length,
    async *items() {
      for (const item of items) {
        given += 1;
        yield item as never;
      }
    },
  };
}
