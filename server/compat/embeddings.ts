import { z } from 'zod';
import { VlmoError } from '#errors.ts';
import { problemSchema } from '../errors/problem.ts';
import type { App, ServerParts } from '../parts.ts';
import { type EmbedInput, embedInputs, toBase64 } from './embed-inputs.ts';
import { chooseModel } from './model-choice.ts';

const MAX_INPUTS = 2048;
const text = z.string().min(1).max(65_536);
/** A picture's bytes are in it. */
const long = z.string().min(1);

/** Jina writes a picture or a text as an object. */
const jinaInput = z.union([z.strictObject({ text }), z.strictObject({ image: long })]);
/** Token ids of OpenAI's models: taken as a shape, so that the refusal says why. */
const tokens = z.array(z.int());

const inputSchema = z.union([
  long,
  z
    .array(z.union([long, jinaInput]))
    .min(1)
    .max(MAX_INPUTS),
  jinaInput,
  tokens.min(1),
  z.array(tokens).min(1),
]);
const contentPart = z.union([
  z.object({ type: z.literal('text'), text }),
  z.object({ type: z.literal('image_url'), image_url: z.object({ url: long }) }),
]);
const embeddingsSchema = z
  .object({
    model: z.string().max(4096).optional(),
    input: inputSchema.optional().describe('OpenAI: texts. Jina: {text} or {image}'),
    messages: z
      .array(z.object({ role: z.string(), content: z.union([text, z.array(contentPart).min(1)]) }))
      .min(1)
      .max(64)
      .optional()
      .describe('vLLM: in place of input, one vector for all of them'),
    modality: z.enum(['text', 'image']).optional().describe('infinity: whether input is texts or pictures'),
    encoding_format: z.enum(['float', 'base64']).default('float'),
    dimensions: z.int().optional(),
    user: z.string().optional(),
  })
  .refine(({ input, messages }) => (input === undefined) !== (messages === undefined), 'input or messages')
  .meta({ id: 'Embeddings' });
const answerSchema = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: z.int(),
        embedding: z
          .union([z.array(z.number()), z.string()])
          .describe('Base64: float32, the least byte first'),
      }),
    ),
    model: z.string(),
    usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .meta({ id: 'EmbeddingsAnswer' });

type Body = z.output<typeof embeddingsSchema>;

/** `POST /v1/embeddings`, as clients of OpenAI, Jina, infinity and vLLM ask. */
export function addEmbeddings(app: App, parts: ServerParts): void {
  app.post(
    '/v1/embeddings',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['compatible'],
        summary: 'Vectors of texts and pictures, as clients of OpenAI, Jina, infinity and vLLM ask for them',
        body: embeddingsSchema,
        response: { 200: answerSchema, '4xx': problemSchema },
      },
    },
    async ({ body, signal }) => {
      const { collection, name, dimensions } = await chooseModel(
        parts.index,
        body.model,
        parts.config.collection,
      );
      if (body.dimensions !== undefined && body.dimensions !== dimensions)
        throw refused('dimensions', `${dimensions}, as the model has`, body.dimensions);
      const { vectors, tokens } = await embedInputs(inputsOf(body), collection, parts, signal);
      const isBase64 = body.encoding_format === 'base64';
      return {
        object: 'list' as const,
        data: vectors.map((vector, index) => ({
          ...{ object: 'embedding' as const, index },
          embedding: isBase64 ? toBase64(vector) : Array.from(vector),
        })),
        model: name,
        usage: { prompt_tokens: tokens, total_tokens: tokens },
      };
    },
  );
}

function inputsOf({ input, messages, modality }: Body): EmbedInput[] {
  if (messages) return [messages.flatMap(({ content }) => partsOf(content))];
  const given = Array.isArray(input) ? input : [input];
  return given.map((one): EmbedInput => {
    if (typeof one === 'string') return [modality === 'image' ? { image: one } : { text: one }];
    if (typeof one === 'object' && !Array.isArray(one)) return [one];
    throw refused('input', 'texts: token ids are of another vocabulary', 'token ids');
  });
}

function partsOf(content: NonNullable<Body['messages']>[number]['content']): EmbedInput {
  if (typeof content === 'string') return [{ text: content }];
  return content.map((part) => (part.type === 'text' ? { text: part.text } : { image: part.image_url.url }));
}

function refused(field: string, expected: string, received: unknown): VlmoError {
  const details = { field, expected, received: String(received) };
  const message = `Cannot embed: expected "${field}" to be ${expected}, received ${details.received}`;
  return new VlmoError('REQUEST_INVALID', message, { details });
}
