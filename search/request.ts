import { z } from 'zod';
import { parseGiven, type Refusal } from '#config/parse-given.ts';

/**
 * What may be asked, with its limits, and what is answered. They hold for a Node program, the command line and jobs
 * alike: a job is a request with its kind.
 */

/** A path or an id of several thousand characters is a mistake. */
export const nameSchema = z.string().min(1).max(4096);
export const textSchema = z.string().max(65_536);
export const collectionSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, '1 to 64 letters, digits, "_" or "-"');
const given = textSchema.min(1);
const target = z.enum(['images', 'captions']);
const k = z.int().min(1).max(100_000).default(10);
const minScore = z.number().optional().describe('The least cosine');

const MAX_TEXTS = 64;
/** Each is a run of the whole model. */
const MAX_RERANKED = 1000;
const MAX_EMBEDDED = 256;
const MAX_MATCHED = 256;

/** The fields of a search, in the order in which docs and schemas have them. */
export const searchFields = {
  collection: collectionSchema.default('default'),
  text: given.optional(),
  texts: z
    .array(z.strictObject({ text: given, weight: z.number().default(1) }))
    .min(1)
    .max(MAX_TEXTS)
    .optional()
    .describe('In place of text: texts that count by their weights, below 0 for what hits are to be unlike'),
  image: nameSchema
    .optional()
    .describe('Absolute path of a picture, as the worker sees it; may stand beside text'),
  imageWeight: z.number().optional().describe('How much the picture counts beside the text; left out, 1'),
  keys: z
    .array(z.strictObject({ key: nameSchema, weight: z.number().default(1) }))
    .min(1)
    .max(MAX_TEXTS)
    .optional()
    .describe(
      'What is stored, that counts by its weights beside texts and image: "more like this", "less like this"',
    ),
  id: nameSchema.optional().describe('Id of what is stored, alone'),
  source: nameSchema.optional().describe('Beside an id that several sources have: the name of one of them'),
  key: nameSchema.optional().describe('Key of what is stored, alone'),
  vector: z
    .array(z.number())
    .min(1)
    .max(16_384)
    .optional()
    .describe("A vector of the collection's model, alone; of any length but 0"),
  in: target.default('images'),
  k,
  where: textSchema.optional().describe('As for vlmo search --where'),
  minScore,
  rerank: z
    .int()
    .min(1)
    .max(MAX_RERANKED)
    .optional()
    .describe('So many of the best are read again by the fusion encoder'),
  minMatch: z.number().min(0).max(1).optional().describe('With rerank: the least probability'),
  groupBy: z.literal('image_id').optional().describe('The best hit of each picture only'),
  keywords: given.optional().describe('Words that lift the rows whose captions hold them'),
  cursor: given.optional().describe('Of an earlier answer to the same search: the page behind it'),
  approximate: z.boolean().optional().describe('By the index of the vectors, which may miss some'),
} as const;

interface QueryParts {
  readonly text?: unknown;
  readonly texts?: unknown;
  readonly image?: unknown;
  readonly imageWeight?: unknown;
  readonly keys?: unknown;
  readonly id?: unknown;
  readonly source?: unknown;
  readonly key?: unknown;
  readonly vector?: unknown;
  readonly rerank?: unknown;
  readonly minMatch?: unknown;
}

/** What of a search goes together. */
export function searchRules<Schema extends z.ZodType<QueryParts>>(schema: Schema): Schema {
  return schema
    .refine(
      ({ text, texts, image, keys, id, key, vector }) =>
        id === undefined && key === undefined && vector === undefined
          ? countGiven(text, texts) <= 1 && countGiven(text, texts, image, keys) >= 1
          : countGiven(text, texts, image, keys) === 0 && countGiven(id, key, vector) === 1,
      'a text or texts, an image, keys, or several of them; or an id; or a key; or a vector',
    )
    .refine(({ id, source }) => id !== undefined || source === undefined, 'an id beside source')
    .refine(
      ({ image, imageWeight }) => image !== undefined || imageWeight === undefined,
      'an image beside imageWeight',
    )
    .refine(
      ({ rerank, minMatch }) => rerank !== undefined || minMatch === undefined,
      'rerank beside minMatch',
    );
}

export const embedFields = {
  collection: collectionSchema.default('default').describe('Its model embeds'),
  texts: z.array(given).min(1).max(MAX_EMBEDDED).optional(),
  image: nameSchema.optional(),
} as const;

export function embedRules<Schema extends z.ZodType<QueryParts>>(schema: Schema): Schema {
  return schema.refine(
    ({ texts, image }) => countGiven(texts, image) === 1,
    'exactly one of texts and image',
  );
}

export const retrieveFields = {
  collection: collectionSchema.default('default'),
  queries: z
    .union([target, z.strictObject({ file: nameSchema })])
    .describe('What the collection stores, or a file of queries by its absolute path, as the worker sees it'),
  in: target,
  k,
  where: textSchema.optional().describe('As for vlmo retrieve --where'),
  minScore,
  rerank: z
    .int()
    .min(1)
    .max(MAX_RERANKED)
    .optional()
    .describe('So many of the best of each query are read again by the cross-encoder'),
} as const;

export const pairsFields = {
  collection: collectionSchema.default('default'),
  threshold: z.number().default(-1).describe('The least cosine of the pairs marked as kept'),
} as const;

/** A picture that a Node program asks by: its place, or its bytes. */
const picture = z.union([nameSchema, z.instanceof(Uint8Array)]);
const out = nameSchema.describe('The Parquet file that is written');

export const searchRequestSchema = searchRules(
  z.strictObject({ ...searchFields, image: picture.optional() }),
);
export const embedRequestSchema = embedRules(z.strictObject({ ...embedFields, image: picture.optional() }));
export const matchRequestSchema = z.strictObject({
  collection: collectionSchema.default('default').describe('Its model reads'),
  image: picture,
  texts: z.array(given).min(1).max(MAX_MATCHED),
});
export const retrieveRequestSchema = z.strictObject({ ...retrieveFields, out });
export const pairsRequestSchema = z.strictObject({ ...pairsFields, out });

/** Requests as they may be written: what has a default may be left out. */
export type SearchRequest = z.input<typeof searchRequestSchema>;
export type EmbedRequest = z.input<typeof embedRequestSchema>;
export type MatchRequest = z.input<typeof matchRequestSchema>;
export type RetrieveRequest = z.input<typeof retrieveRequestSchema>;
export type PairsRequest = z.input<typeof pairsRequestSchema>;

/** Requests as they are answered. */
export type Search = z.output<typeof searchRequestSchema>;
export type Retrieve = z.output<typeof retrieveRequestSchema>;
export type SearchTarget = z.output<typeof target>;

/** All of a search that decides which rows come in which order, beside the vector of the query. */
export type SearchOrder = Pick<Search, 'in' | 'k'> &
  Partial<
    Pick<
      Search,
      'where' | 'minScore' | 'rerank' | 'minMatch' | 'groupBy' | 'keywords' | 'cursor' | 'approximate'
    >
  >;

/** A request with its defaults. Throws REQUEST_INVALID, which names the field. */
export function parseRequest<T>(schema: z.ZodType<T>, data: unknown, action: string): T {
  return parseGiven(schema, data, { code: 'REQUEST_INVALID', action });
}

const hitSchema = z.object({
  /** From 1; on later pages it goes on. */
  rank: z.int(),
  id: z.string(),
  kind: z.enum(['image', 'caption']),
  uri: z.string(),
  /** The caption found, or the first caption of the picture found; null where it has none. */
  caption: z.string().nullable(),
  /** The other columns of its source. */
  meta: z.record(z.string(), z.unknown()),
  /** What the order is by: the cosine, or what keywords or the fusion encoder make of it. */
  score: z.number(),
  /** Cosine of query and hit. */
  cosine: z.number(),
  /** Probability that query and hit belong together, raw unless `calibrated`; null where they were not read together. */
  match: z.number().nullable(),
  /** What the index knows it by. */
  key: z.string(),
  /** Name of the source that it came from. */
  source: z.string(),
  /** Sides of a picture as it is seen, in pixels; null of a caption, and from a worker of before they were told. */
  width: z.int().nullable().default(null),
  height: z.int().nullable().default(null),
  /** Key of the picture that it is, or that the caption found describes; null where there is none. */
  imageKey: z.string().nullable().default(null),
});

export const searchAnswerSchema = z.object({
  hits: z.array(hitSchema).readonly(),
  /** For the next page; null where there is none. */
  cursor: z.string().nullable(),
  /** Whether hits may be missing, because an index of vectors was asked. */
  approximate: z.boolean(),
  /** Whether `match` is calibrated: it is the model's own, raw probability otherwise, and from a worker of before. */
  calibrated: z.boolean().default(false),
});
const embedAnswerSchema = z.object({
  /** A vector of unit length for each of what was to be embedded. */
  embeddings: z.array(z.array(z.number()).readonly()).readonly(),
});
const count = z.int().min(0);
const retrieveAnswerSchema = z.object({
  ...{ answered: count, skipped: count, failed: count, hits: count },
  isWhole: z.boolean(),
  /** Queries of a file that are longer than the model reads, of those embedded by this call; the first five named. */
  truncated: z.object({ count, first: z.array(z.string()).readonly() }).default({ count: 0, first: [] }),
});
const pairsAnswerSchema = z.object({
  ...{ scored: count, skipped: count, kept: count, alone: count },
  histogram: z.array(count).readonly(),
  isWhole: z.boolean(),
});

/** What is answered to each kind of request, as it comes back from a worker. */
export const answerSchemas = {
  search: searchAnswerSchema,
  embed: embedAnswerSchema,
  retrieve: retrieveAnswerSchema,
  pairs: pairsAnswerSchema,
} as const;

export type Hit = Readonly<z.output<typeof hitSchema>>;
export type Answers = {
  readonly [Kind in keyof typeof answerSchemas]: Readonly<z.output<(typeof answerSchemas)[Kind]>>;
};
export type SearchAnswer = Answers['search'];

/** An answer of another process. Throws the code of `refusal`: it may be of another version. */
export function parseAnswer<Kind extends keyof Answers>(
  kind: Kind,
  data: unknown,
  refusal: Refusal,
): Answers[Kind] {
  return parseGiven(answerSchemas[kind] as unknown as z.ZodType<Answers[Kind]>, data, refusal);
}

function countGiven(...values: readonly unknown[]): number {
  return values.filter((value) => value !== undefined).length;
}
