import pMap from 'p-map';
import { z } from 'zod';
import { nameSchema } from '#search/request.ts';
import { isPictureText, readPictureText } from '../bodies/picture-body.ts';
import { problemSchema } from '../errors/problem.ts';
import { timed } from '../metrics/metrics.ts';
import type { App, ServerParts } from '../parts.ts';
import { chooseModel } from './model-choice.ts';
import { relevances, type Subject } from './relevance.ts';

const text = z.string().min(1).max(65_536);
const long = z.string().min(1);
const documentSchema = z.union([
  long.describe('A text, or a picture as a data URL'),
  z.strictObject({ text }),
  z.strictObject({ image: long.describe('A data URL, an address, or base64') }),
  z.strictObject({ key: nameSchema.describe('Of an item of the index') }),
]);
const rerankSchema = z
  .object({
    model: z.string().max(4096).optional(),
    query: documentSchema,
    documents: z.array(documentSchema).min(1).max(1000),
    top_n: z.int().min(1).optional(),
    return_documents: z.boolean().default(false),
  })
  .meta({ id: 'Rerank' });
const answerSchema = z
  .object({
    id: z.string(),
    model: z.string(),
    results: z
      .array(
        z.object({
          index: z.int(),
          relevance_score: z
            .number()
            .describe('0 to 1: the probability that query and document belong together'),
          document: z.object({ text: z.string() }).or(z.record(z.string(), z.string())).optional(),
        }),
      )
      .describe('Best first'),
    usage: z.object({ total_tokens: z.int() }),
    meta: z.object({
      api_version: z.object({ version: z.string() }),
      billed_units: z.object({ search_units: z.int() }),
    }),
  })
  .meta({ id: 'RerankAnswer' });

type Document = z.output<typeof documentSchema>;

/** `POST /v1/rerank`, which Jina's and Cohere's clients call `/rerank` and `/v2/rerank`. */
export function addRerank(app: App, parts: ServerParts): void {
  for (const url of ['/v1/rerank', '/v2/rerank', '/rerank']) addRoute(app, parts, url);
}

function addRoute(app: App, parts: ServerParts, url: string): void {
  const { index, config, metrics } = parts;
  app.post(
    url,
    {
      config: { scope: 'read' },
      schema: {
        tags: ['compatible'],
        summary: 'Texts, pictures and items of the index by how well they answer a text or a picture',
        body: rerankSchema,
        response: { 200: answerSchema, '4xx': problemSchema },
      },
    },
    async ({ body, signal, id }) => {
      const { collection, name } = await chooseModel(index, body.model, config.collection);
      const query = await toSubject(body.query, 'query', collection, parts, signal);
      const documents = await pMap(
        body.documents,
        (document, i) => toSubject(document, `documents.${i}`, collection, parts, signal),
        { concurrency: 8 },
      );
      const scores = await timed(metrics, 'rerank', () =>
        relevances(index, collection, query, documents, signal),
      );
      const texts = [query, ...documents].flatMap((one) => ('text' in one ? [one.text] : []));
      const tokens = (await index.tokens(texts, collection)).reduce((sum, count) => sum + count, 0);
      const results = scores
        .map((score, place) => ({
          ...{ index: place, relevance_score: score },
          ...(body.return_documents && { document: shown(body.documents[place]) }),
        }))
        .toSorted((a, b) => b.relevance_score - a.relevance_score || a.index - b.index)
        .slice(0, body.top_n);
      return {
        ...{ id, model: name, results, usage: { total_tokens: tokens } },
        meta: { api_version: { version: '2' }, billed_units: { search_units: 1 } },
      };
    },
  );
}

async function toSubject(
  said: Document,
  field: string,
  collection: string,
  parts: ServerParts,
  signal: AbortSignal,
): Promise<Subject> {
  if (typeof said === 'string')
    return isPictureText(said)
      ? { picture: await readPictureText(said, field, parts, signal) }
      : { text: said };
  if ('text' in said) return said;
  if ('image' in said) return { picture: await readPictureText(said.image, `${field}.image`, parts, signal) };
  const found = await parts.index.item({ key: said.key }, collection);
  if (found.kind === 'image') return { picture: found.row.uri };
  return { text: found.kind === 'caption' ? found.row.caption : '' };
}

function shown(document: Document | undefined): Record<string, string> {
  return typeof document === 'string' ? { text: document } : { ...document };
}
