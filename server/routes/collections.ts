import { z } from 'zod';
import { errorMessage } from '#errors.ts';
import { nameSchema } from '#search/request.ts';
import type { OpenIndex } from '#service/contract.ts';
import { problemSchema } from '../errors/problem.ts';
import type { App, ServerParts } from '../parts.ts';

const collectionSchema = z
  .object({
    name: z.string(),
    images: z.int(),
    captions: z.int(),
    generation: z.string().describe('The one that serves'),
    model: z.string(),
  })
  .meta({ id: 'Collection' });
const generationSchema = z
  .object({
    name: z.string(),
    collection: z.string(),
    model: z.string(),
    fingerprint: z.string(),
    preprocess: z.string(),
    dimensions: z.int(),
    createdAt: z.string(),
    serves: z.boolean(),
  })
  .meta({ id: 'Generation' });
const modelSchema = z
  .object({
    id: z.string().describe('Name of the generation, which requests may name as their model'),
    object: z.literal('model'),
    created: z.int().describe('Seconds since 1970'),
    owned_by: z.literal('vlmo'),
    name: z.string(),
    collection: z.string(),
    serves: z.boolean(),
    dimensions: z.int(),
    maxTokens: z.int().nullable(),
    embeds: z.boolean().nullable(),
    matches: z
      .boolean()
      .nullable()
      .describe('Whether its hits can be re-ranked: a picture and a text read together'),
    reranker: z.string().nullable().describe('The model that does, where it is not this one'),
    reason: z.string().nullable().describe('Why it cannot be used'),
  })
  .meta({ id: 'Model' });
const byName = z.strictObject({ name: nameSchema });

/** Collections, the generations behind them, and what their models can. */
export function addCollections(app: App, { index }: ServerParts): void {
  const read = { scope: 'read' } as const;
  const admin = { scope: 'admin' } as const;
  const tags = ['collections'];
  const one = { 200: generationSchema, 404: problemSchema, 409: problemSchema };
  app.get(
    '/v1/collections',
    {
      config: read,
      schema: {
        tags,
        summary: 'What there is to search',
        response: { 200: z.object({ collections: z.array(collectionSchema) }) },
      },
    },
    async () => ({ collections: await listCollections(index) }),
  );
  app.get(
    '/v1/generations',
    {
      config: read,
      schema: {
        tags,
        summary: 'All vectors there are, by the models that made them',
        response: { 200: z.object({ generations: z.array(generationSchema) }) },
      },
    },
    async () => ({ generations: await listGenerations(index) }),
  );
  app.post(
    '/v1/generations/:name/activate',
    {
      config: admin,
      schema: { tags, summary: 'Let a generation serve its collection', params: byName, response: one },
    },
    async ({ params }) => shown(await index.activate(params.name), true),
  );
  app.delete(
    '/v1/generations/:name',
    {
      config: admin,
      schema: { tags, summary: 'Delete a generation that does not serve', params: byName, response: one },
    },
    async ({ params }) => shown(await index.drop(params.name), false),
  );
  app.get(
    '/v1/models',
    {
      config: read,
      schema: {
        tags,
        summary: 'The models of the index and what they can, as OpenAI lists models',
        response: { 200: z.object({ object: z.literal('list'), data: z.array(modelSchema) }) },
      },
    },
    async () => ({ object: 'list' as const, data: await listModels(index) }),
  );
}

type Generation = Awaited<ReturnType<OpenIndex['serving']>>;

async function listCollections(index: OpenIndex): Promise<z.output<typeof collectionSchema>[]> {
  const names = new Set((await index.generations()).map(({ collection }) => collection));
  return Promise.all(
    [...names].toSorted().map(async (name) => {
      const { name: generation, modelName } = await index.serving(name);
      return { name, ...(await index.counts(name)), generation, model: modelName };
    }),
  );
}

/** Each with whether it serves. */
async function served(index: OpenIndex): Promise<(readonly [Generation, boolean])[]> {
  const all = await index.generations();
  const collections = new Set(all.map(({ collection }) => collection));
  const serving = await Promise.all([...collections].map((name) => index.serving(name)));
  const names = new Set(serving.map(({ name }) => name));
  return all.map((record) => [record, names.has(record.name)] as const);
}

async function listGenerations(index: OpenIndex): Promise<z.output<typeof generationSchema>[]> {
  return (await served(index)).map(([record, serves]) => shown(record, serves));
}

function shown(record: Generation, serves: boolean): z.output<typeof generationSchema> {
  const { name, collection, modelName: model, fingerprint, preprocess, dimensions, createdAt } = record;
  return {
    name,
    collection,
    model,
    fingerprint,
    preprocess,
    dimensions,
    createdAt: createdAt.toISOString(),
    serves,
  };
}

async function listModels(index: OpenIndex): Promise<z.output<typeof modelSchema>[]> {
  const reranker = (await index.reranker())?.name ?? null;
  return Promise.all(
    (await served(index)).map(
      async ([{ name: id, collection, modelName, dimensions, createdAt }, serves]) => {
        const known = {
          ...({
            id,
            object: 'model',
            owned_by: 'vlmo',
            name: modelName,
            collection,
            serves,
            dimensions,
            reranker,
          } as const),
          created: Math.floor(createdAt.getTime() / 1000),
        };
        try {
          const { maxTokens, canEmbed: embeds, canMatch } = await index.model(id);
          const matches = canMatch || reranker !== null;
          return { ...known, maxTokens, embeds, matches, reason: null };
        } catch (error) {
          return { ...known, maxTokens: null, embeds: null, matches: null, reason: errorMessage(error) };
        }
      },
    ),
  );
}
