import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ERROR_CODES, type ErrorCode, VlmoError } from '#errors.ts';

/** Raised whenever a worker of an older version would refuse a job or misread it: the names of the queues carry it. */
export const JOB_FORMAT = 2;

/** What a job may hold. `docs/jobs.md` has the same as JSON Schema, for programs in other languages. */

const MAX_ITEMS = 4096;
const MAX_TEXTS = 64;
/** Each is a run of the whole model. */
const MAX_RERANKED = 1000;
/** A path or an id of several thousand characters is a mistake. */
export const MAX_NAME = 4096;
const name = z.string().min(1).max(MAX_NAME);
const text = z.string().max(65_536);
const collection = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, '1 to 64 letters, digits, "_" or "-"');
/** What is nested deeper cannot be sent to another process. Sources allow as much. */
const MAX_NESTED = 100;
/** Characters of JSON; a job holds some hundred items. */
const MAX_META = 2 ** 20;
const meta = z
  .record(z.string(), z.unknown())
  .default({})
  .refine((value) => !isDeeper(value, MAX_NESTED), {
    error: `values nested at most ${MAX_NESTED} deep`,
    abort: true,
  })
  .refine((value) => JSON.stringify(value).length <= MAX_META, `at most ${MAX_META} characters of JSON`);

const imageItem = z.strictObject({
  kind: z.literal('image'),
  id: name.describe('Known by it in the collection; a second item with the same id replaces the first'),
  uri: name.describe('Absolute path or file URL of the picture, as the worker sees it'),
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
const item = z.discriminatedUnion('kind', [imageItem, captionItem, brokenItem]);
const count = z.int().min(0);

/** A chunk of items to index. */
export const chunkJobSchema = z.strictObject({
  run: name.optional().describe('Id of a run of this index that vlmo submit has made; else left out'),
  collection: collection.default('default'),
  generation: name.optional().describe('A generation of the collection; left out, the one that serves it'),
  retryFailed: z.boolean().optional().describe('Try again what is listed as failed for good'),
  items: z.array(item).min(1).max(MAX_ITEMS),
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
    texts: z
      .array(z.strictObject({ text: text.min(1), weight: z.number().default(1) }))
      .min(1)
      .max(MAX_TEXTS)
      .optional()
      .describe(
        'In place of text: texts that count by their weights, below 0 for what hits are to be unlike',
      ),
    image: name
      .optional()
      .describe('Absolute path of a picture, as the worker sees it; may stand beside text'),
    imageWeight: z.number().optional().describe('How much the picture counts beside the text; left out, 1'),
    id: name.optional().describe('Id of what is stored, alone'),
    in: z.enum(['images', 'captions']).default('images'),
    k: z.int().min(1).max(10_000).default(10),
    where: text.optional().describe('As for vlmo search --where'),
    minScore: z.number().optional().describe('The least cosine'),
    rerank: z
      .int()
      .min(1)
      .max(MAX_RERANKED)
      .optional()
      .describe('So many of the best are read again by the fusion encoder'),
    minMatch: z.number().min(0).max(1).optional().describe('With rerank: the least probability'),
    groupBy: z.literal('image_id').optional().describe('The best hit of each picture only'),
    keywords: text.min(1).optional().describe('Words that lift the rows whose captions hold them'),
    cursor: text.min(1).optional().describe('Of an earlier answer to the same search: the page behind it'),
    approximate: z.boolean().optional().describe('By the index of the vectors, which may miss some'),
    timeoutMs,
  })
  .refine(
    ({ text, texts, image, id }) =>
      id === undefined
        ? countGiven(text, texts) <= 1 && countGiven(text, texts, image) >= 1
        : countGiven(text, texts, image) === 0,
    'a text or texts, an image, or both; or an id',
  )
  .refine(
    ({ image, imageWeight }) => image !== undefined || imageWeight === undefined,
    'an image beside imageWeight',
  )
  .refine(({ rerank, minMatch }) => rerank !== undefined || minMatch === undefined, 'rerank beside minMatch');
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

const resultsFile = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.parquet$/, 'a plain file name that ends with ".parquet"')
  .describe('The file that is written, in the folder "results" of the index');
const retrieveJob = z.strictObject({
  kind: z.literal('retrieve'),
  collection: collection.default('default'),
  queries: z
    .union([z.enum(['images', 'captions']), z.strictObject({ file: name })])
    .describe('What the collection stores, or a file of queries by its absolute path, as the worker sees it'),
  in: z.enum(['images', 'captions']),
  k: z.int().min(1).max(10_000).default(10),
  where: text.optional().describe('As for vlmo retrieve --where'),
  minScore: z.number().optional().describe('The least cosine'),
  out: resultsFile,
});
const pairsJob = z.strictObject({
  kind: z.literal('pairs'),
  collection: collection.default('default'),
  threshold: z.number().default(-1).describe('The least cosine of the pairs marked as kept'),
  out: resultsFile,
});

/** Many queries into a file, or each picture with its own captions. */
export const retrievalJobSchema = z.discriminatedUnion('kind', [retrieveJob, pairsJob]);

export type RetrievalJob = z.output<typeof retrievalJobSchema>;
export type ChunkJob = z.output<typeof chunkJobSchema>;
export type QueryJob = z.output<typeof queryJobSchema>;
/** A query as it may be written: what has a default may be left out. */
export type Query = z.input<typeof queryJobSchema>;

/** Throws JOB_INVALID, which names the field, what was expected and what was found. */
export function parseChunkJob(data: unknown): ChunkJob {
  const job = parse(chunkJobSchema, data);
  const given = (data as ChunkJob).items;
  // zod leaves out a key called "__proto__", which is as good a name of a column as any.
  const items = job.items.map((item, i) =>
    item.kind === 'broken' ? item : { ...item, meta: metaOf(given[i]) ?? item.meta },
  );
  return { ...job, items };
}

/** Throws JOB_INVALID for an item that does not fit a job. */
export function parseItem(data: unknown): void {
  parse(item, data);
}

function metaOf(item: ChunkJob['items'][number] | undefined): Record<string, unknown> | undefined {
  return item && 'meta' in item ? item.meta : undefined;
}

export function parseQueryJob(data: unknown): QueryJob {
  return parse(queryJobSchema, data);
}

export function parseRetrievalJob(data: unknown): RetrievalJob {
  return parse(retrievalJobSchema, data);
}

/** 32 hex digits that are the same for the same content: what is submitted twice is one job. */
export function chunkJobId(json: string): string {
  return createHash('sha256').update(json).digest('hex').slice(0, 32);
}

function parse<T>(schema: z.ZodType<T>, data: unknown): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const { path, expected } = describeIssue(parsed.error.issues[0]);
  const field = path.length > 0 ? `"${path.join('.')}"` : 'its data';
  throw new VlmoError(
    'JOB_INVALID',
    `Cannot take job: expected ${field} to be right (${expected}), received ${show(data, path)}`,
  );
}

/** Where it is wrong, and what belongs there. */
function describeIssue(issue: z.core.$ZodIssue | undefined): { path: PropertyKey[]; expected: string } {
  const path = issue?.path ?? [];
  if (issue?.code === 'unrecognized_keys')
    return { path: [...path, ...issue.keys.slice(0, 1)], expected: 'left out: there is no such field' };
  const said = issue?.message ?? 'another value';
  const expected = said.replace(/^(Invalid|Too) [a-z ]+[:.] expected /i, '').replace(/, received \w+$/, '');
  return { path, expected: short(expected) };
}

/** The value at a path, short. */
function show(data: unknown, path: readonly PropertyKey[]): string {
  let value = data;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return short(isDeeper(value, MAX_NESTED) ? 'deeper ones' : (JSON.stringify(value) ?? 'nothing'));
}

function short(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((one) => isDeeper(one, levels - 1));
}

function countGiven(...values: readonly unknown[]): number {
  return values.filter((value) => value !== undefined).length;
}
