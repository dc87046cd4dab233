import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isNestedWithin, parseGiven } from '#config/parse-given.ts';
import { ERROR_CODES, type ErrorCode } from '#errors.ts';
import {
  collectionSchema as collection,
  embedFields,
  embedRules,
  nameSchema as name,
  pairsFields,
  retrieveFields,
  searchFields,
  searchRules,
  textSchema as text,
} from '#search/request.ts';

/** Raised whenever a worker of an older version would refuse a job or misread it: the names of the queues carry it. */
export const JOB_FORMAT = 2;

/** What a job may hold. `docs/jobs.md` has the same as JSON Schema, for programs in other languages. */

const MAX_ITEMS = 4096;
/** A path or an id of several thousand characters is a mistake. */
export const MAX_NAME = 4096;
/** Characters of JSON; a job holds some hundred items. */
const MAX_META = 2 ** 20;
const meta = z
  .record(z.string(), z.unknown())
  .default({})
  .refine((value) => isNestedWithin(value), { error: 'values nested at most 100 deep', abort: true })
  .refine((value) => JSON.stringify(value).length <= MAX_META, `at most ${MAX_META} characters of JSON`);

const itemSource = name.optional().describe('Name of its source, where that is not the one of the job');
const imageItem = z.strictObject({
  kind: z.literal('image'),
  source: itemSource,
  id: name.describe('Known by it in its source; a second item with the same id replaces the first'),
  uri: name.describe(
    'Absolute path or file URL of the picture, as the worker sees it; its place in a tar (tar+file:///x.tar#offset=512&size=2048); or where it is downloaded from',
  ),
  meta: meta.describe('Whatever a search may filter on'),
  described: name.optional().describe('Set by vlmo submit: what the files beside it are known by'),
});
const captionItem = z.strictObject({
  kind: z.literal('caption'),
  source: itemSource,
  id: name,
  imageSource: name
    .nullable()
    .optional()
    .describe(
      'Source of the picture; left out or null, its own one or, where that lacks it, the one other that has it',
    ),
  imageId: name.nullable().describe('Id of the picture it describes, or null'),
  uri: name.describe('The picture, or where the caption came from'),
  caption: text,
  meta,
});
const brokenItem = z.strictObject({
  kind: z.literal('broken'),
  source: itemSource,
  id: name,
  uri: name,
  error: z
    .strictObject({ code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]), message: text })
    .describe('Why the source could not be understood here: it is listed as failed'),
});
const item = z.discriminatedUnion('kind', [imageItem, captionItem, brokenItem]);
const count = z.int().min(0);
const counts = { stored: count, skipped: count, failed: count };
const kindCount = z.strictObject(counts);

/** A chunk of items to index. */
export const chunkJobSchema = z.strictObject({
  run: name.optional().describe('Id of a run of this index that vlmo submit has made; else left out'),
  collection: collection.default('default'),
  generation: name.optional().describe('A generation of the collection; left out, the one that serves it'),
  source: name
    .optional()
    .describe('Name of the source of the items: two sources may have the same ids; left out, "default"'),
  retryFailed: z.boolean().optional().describe('Try again what is listed as failed for good'),
  verify: z.boolean().optional().describe('Read files too that have not changed'),
  items: z.array(item).min(1).max(MAX_ITEMS),
  attempt: z.int().min(1).optional().describe('Set by the worker when it tries some items again'),
  tally: z
    .strictObject({ ...counts, kinds: z.strictObject({ images: kindCount, captions: kindCount }).optional() })
    .optional()
    .describe('Set by the worker: the items of earlier attempts'),
});

const timeoutMs = z
  .int()
  .min(1)
  .max(600_000)
  .optional()
  .describe('A query that waited longer than this since it was added is not answered any more');

const searchJob = searchRules(z.strictObject({ kind: z.literal('search'), ...searchFields, timeoutMs }));
const embedJob = embedRules(z.strictObject({ kind: z.literal('embed'), ...embedFields, timeoutMs }));

/** A search, or something to embed. */
export const queryJobSchema = z.discriminatedUnion('kind', [searchJob, embedJob]);

const resultsFile = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.parquet$/, 'a plain file name that ends with ".parquet"')
  .describe('The file that is written, in the folder "results" of the index');
const retrieveJob = z.strictObject({ kind: z.literal('retrieve'), ...retrieveFields, out: resultsFile });
const pairsJob = z.strictObject({ kind: z.literal('pairs'), ...pairsFields, out: resultsFile });

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
  return parseGiven(schema, data, { code: 'JOB_INVALID', action: 'take job' });
}
