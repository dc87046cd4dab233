import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ERROR_CODES, type ErrorCode, VlmoError } from '#errors.ts';

/** What a job may hold. `docs/jobs.md` has the same as JSON Schema, for programs in other languages. */

const MOST_ITEMS = 4096;
/** A path or an id of several thousand characters is a mistake. */
const name = z.string().min(1).max(4096);
const text = z.string().max(65_536);
const collection = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, '1 to 64 letters, digits, "_" or "-"');
const meta = z.record(z.string(), z.unknown()).default({});

const imageItem = z.strictObject({
  kind: z.literal('image'),
  id: name.describe('Known by it in the collection; a second item with the same id replaces the first'),
  uri: name.describe('Absolute path of the picture, as the worker sees it'),
  meta: meta.describe('Whatever a search may filter on'),
});
const captionItem = z.strictObject({
  kind: z.literal('caption'),
  id: name,
  imageId: name.nullable().describe('Id of the picture it describes, or null'),
  uri: name.describe('The picture, or where the caption came from'),
  caption: text,
  meta,
});
const brokenItem = z.strictObject({
  kind: z.literal('broken'),
  id: name,
  uri: name,
  error: z
    .strictObject({ code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]), message: text })
    .describe('Why the source could not be understood here: it is listed as failed'),
});
const count = z.int().min(0);

/** A chunk of items to index. */
export const chunkJobSchema = z.strictObject({
  run: name.optional().describe('Id of a run of this index that vlmo submit has made; else left out'),
  collection: collection.default('default'),
  generation: name.optional().describe('A generation of the collection; left out, the one that serves it'),
  retryFailed: z.boolean().optional().describe('Try again what is listed as failed for good'),
  items: z
    .array(z.discriminatedUnion('kind', [imageItem, captionItem, brokenItem]))
    .min(1)
    .max(MOST_ITEMS),
  attempt: z.int().min(1).optional().describe('Set by the worker when it tries some items again'),
  tally: z
    .strictObject({ stored: count, skipped: count, failed: count })
    .optional()
    .describe('Set by the worker: the items of earlier attempts'),
});

const timeoutMs = z
  .int()
  .min(1)
  .max(600_000)
  .optional()
  .describe('A query that waited longer than this since it was added is not answered any more');

const searchJob = z
  .strictObject({
    kind: z.literal('search'),
    collection: collection.default('default'),
    text: text.min(1).optional(),
    image: name.optional().describe('Absolute path of a picture, as the worker sees it'),
    id: name.optional().describe('Id of what is stored'),
    in: z.enum(['images', 'captions']).default('images'),
    k: z.int().min(1).max(10_000).default(10),
    where: text.optional().describe('As for vlmo search --where'),
    minScore: z.number().optional(),
    timeoutMs,
  })
  .refine(({ text, image, id }) => countGiven(text, image, id) === 1, 'exactly one of text, image and id');
const embedJob = z
  .strictObject({
    kind: z.literal('embed'),
    collection: collection.default('default').describe('Its model embeds'),
    texts: z.array(text.min(1)).min(1).max(256).optional(),
    image: name.optional(),
    timeoutMs,
  })
  .refine(({ texts, image }) => countGiven(texts, image) === 1, 'exactly one of texts and image');

/** A search, or something to embed. */
export const queryJobSchema = z.discriminatedUnion('kind', [searchJob, embedJob]);

export type ChunkJob = z.output<typeof chunkJobSchema>;
export type QueryJob = z.output<typeof queryJobSchema>;
/** A query as it may be written: what has a default may be left out. */
export type Query = z.input<typeof queryJobSchema>;

/** Throws JOB_INVALID, which names the field, what was expected and what was found. */
export function parseChunkJob(data: unknown): ChunkJob {
  return parse(chunkJobSchema, data);
}

export function parseQueryJob(data: unknown): QueryJob {
  return parse(queryJobSchema, data);
}

/** 32 hex digits that are the same for the same content: what is submitted twice is one job. */
export function chunkJobId(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, 32);
}

function parse<T>(schema: z.ZodType<T>, data: unknown): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path ?? [];
  const field = path.length > 0 ? `"${path.join('.')}"` : 'its data';
  const expected = issue?.code === 'invalid_union' ? 'a known "kind"' : (issue?.message ?? 'another value');
  throw new VlmoError(
    'JOB_INVALID',
    `Cannot take job: expected ${field} to be right (${expected}), received ${show(data, path)}`,
  );
}

/** The value at a path, short. */
function show(data: unknown, path: readonly PropertyKey[]): string {
  let value = data;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 120 ? `${json.slice(0, 120)}…` : json;
}

function countGiven(...values: readonly unknown[]): number {
  return values.filter((value) => value !== undefined).length;
}
