import { z } from 'zod';
import { problemSchema } from '../errors/problem.ts';
import type { App, ServerParts } from '../parts.ts';
import { type EmbedInput, embedInputs, toBase64 } from './embed-inputs.ts';
import { chooseModel } from './model-choice.ts';

const text = z.string().min(1).max(65_536);
const long = z.string().min(1);
const content = z.union([
  z.object({ type: z.literal('text'), text }),
  z.object({ type: z.literal('image_url'), image_url: z.object({ url: long }) }),
]);
const embedSchema = z
  .object({
    model: z.string().max(4096).optional(),
    input_type: z.string().optional(),
    texts: z.array(text).min(1).max(1024).optional(),
    images: z.array(long).min(1).max(256).optional().describe('Data URLs'),
    inputs: z
      .array(z.object({ content: z.array(content).min(1) }))
      .min(1)
      .max(256)
      .optional(),
    embedding_types: z
      .array(z.enum(['float', 'base64']))
      .min(1)
      .default(['float']),
    truncate: z.string().optional(),
  })
  .refine(
    ({ texts, images, inputs }) => [texts, images, inputs].filter((one) => one !== undefined).length === 1,
    'one of texts, images and inputs',
  )
  .meta({ id: 'CohereEmbed' });
const answerSchema = z
  .object({
    id: z.string(),
    embeddings: z.object({
      float: z.array(z.array(z.number())).optional(),
      base64: z.array(z.string()).optional(),
    }),
    texts: z.array(z.string()),
    response_type: z.literal('embeddings_by_type'),
    meta: z.object({
      api_version: z.object({ version: z.string() }),
      billed_units: z.object({ input_tokens: z.int(), images: z.int() }),
    }),
  })
  .meta({ id: 'CohereEmbedAnswer' });

/** `POST /v2/embed`, as Cohere's clients ask. */
export function addCohereEmbed(app: App, parts: ServerParts): void {
  app.post(
    '/v2/embed',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['compatible'],
        summary: "Vectors of texts and pictures, as Cohere's clients ask for them",
        body: embedSchema,
        response: { 200: answerSchema, '4xx': problemSchema },
      },
    },
    async ({ body, signal, id }) => {
      const { collection } = await chooseModel(parts.index, body.model, parts.config.collection);
      const inputs = inputsOf(body);
      const { vectors, tokens } = await embedInputs(inputs, collection, parts, signal);
      const types = new Set(body.embedding_types);
      const images = inputs.flat().filter((part) => 'image' in part).length;
      return {
        id,
        embeddings: {
          ...(types.has('float') && { float: vectors.map((vector) => Array.from(vector)) }),
          ...(types.has('base64') && { base64: vectors.map(toBase64) }),
        },
        texts: body.texts ?? [],
        response_type: 'embeddings_by_type' as const,
        meta: { api_version: { version: '2' }, billed_units: { input_tokens: tokens, images } },
      };
    },
  );
}

function inputsOf({ texts = [], images = [], inputs = [] }: z.output<typeof embedSchema>): EmbedInput[] {
  return [
    ...texts.map((one) => [{ text: one }]),
    ...images.map((image) => [{ image }]),
    ...inputs.map(({ content: all }) =>
      all.map((part) => (part.type === 'text' ? { text: part.text } : { image: part.image_url.url })),
    ),
  ];
}
