import { z } from 'zod';
import { collectionSchema, nameSchema } from '#search/request.ts';
import type { FoundItem } from '#service/contract.ts';
import { problemSchema } from '../errors/problem.ts';
import type { App, ServerParts } from '../parts.ts';

const captionSchema = z.object({ key: z.string(), source: z.string(), id: z.string(), caption: z.string() });
const shared = {
  key: z.string(),
  source: z.string(),
  id: z.string(),
  uri: z.string(),
};
const stored = {
  ...shared,
  meta: z.record(z.string(), z.unknown()),
  indexedAt: z.string().describe('ISO 8601'),
  run: z.string(),
};
const itemSchema = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('image'),
      ...stored,
      width: z.int(),
      height: z.int(),
      bytes: z.int(),
      format: z.string(),
      sha256: z.string(),
      captions: z.array(captionSchema),
    }),
    z.object({
      kind: z.literal('caption'),
      ...stored,
      caption: z.string(),
      imageSource: z.string().nullable(),
      imageId: z.string().nullable(),
    }),
    z
      .object({
        kind: z.literal('failed'),
        ...shared,
        code: z.string(),
        message: z.string(),
        attempts: z.int(),
        retriable: z.boolean(),
        failedAt: z.string(),
        run: z.string(),
      })
      .describe('It could not be stored, and has no vector'),
  ])
  .meta({ id: 'Item' });

const inCollection = z.strictObject({ collection: collectionSchema.default('default') });
const byId = inCollection.extend({ id: nameSchema, source: nameSchema.optional() });
const byKey = z.strictObject({ key: nameSchema });

/** `GET /v1/items/{key}`, and `GET /v1/items?id=&source=` for whoever knows no key. */
export function addItems(app: App, { index }: ServerParts): void {
  const answers = { 200: itemSchema, 404: problemSchema, 409: problemSchema };
  const tags = ['items'];
  app.get(
    '/v1/items',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        summary: 'An item by its id, with its source where several have it',
        querystring: byId,
        response: answers,
      },
    },
    async ({ query: { id, source, collection } }) => toItem(await index.item({ id, source }, collection)),
  );
  app.get(
    '/v1/items/:key',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        summary: 'An item by its key',
        params: byKey,
        querystring: inCollection,
        response: answers,
      },
    },
    async ({ params: { key }, query: { collection } }) => toItem(await index.item({ key }, collection)),
  );
}

function toItem(found: FoundItem): z.output<typeof itemSchema> {
  if (found.kind === 'failed') {
    const { key, source, id, uri, code, message, attempts, retriable, failedAt, run } = found.failure;
    const what = { code, message, attempts, retriable, failedAt: failedAt.toISOString(), run };
    return { kind: 'failed', key, source, id, uri, ...what };
  }
  const { indexedAt } = found.row;
  if (found.kind === 'caption') return { kind: 'caption', ...found.row, indexedAt: indexedAt.toISOString() };
  const captions = found.captions.map(({ key, source, id, caption }) => ({ key, source, id, caption }));
  return { kind: 'image', ...found.row, indexedAt: indexedAt.toISOString(), captions };
}
