import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type SearchRequest, searchAnswerSchema, searchFields } from '#search/request.ts';
import { readForm } from '../bodies/form-body.ts';
import { pictureBodySchema, readPictureBody } from '../bodies/picture-body.ts';
import { problemSchema } from '../errors/problem.ts';
import { timed } from '../metrics/metrics.ts';
import type { App, ServerParts } from '../parts.ts';

/** An answer of more hits is a file's business (`vlmo retrieve`). */
const MAX_HITS = 10_000;

export const searchBodySchema = z
  .strictObject({
    ...searchFields,
    k: z.int().min(1).max(MAX_HITS).default(10),
    image: pictureBodySchema.optional(),
    hybrid: z.boolean().default(false).describe('The words of text are keywords too'),
  })
  .meta({ id: 'Search' });
const unreadSchema = z.object({ id: z.string(), code: z.string(), message: z.string() });
const answerSchema = searchAnswerSchema
  .extend({ unread: z.array(unreadSchema).describe('Hits that could not be read again, and why') })
  .meta({ id: 'SearchAnswer' });

type SearchBody = z.output<typeof searchBodySchema>;

/** `POST /v1/search`: JSON, or a form with a picture in the field `image` and JSON in the field `request`. */
export function addSearch(app: App, parts: ServerParts): void {
  app.post(
    '/v1/search',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['search'],
        summary: 'Find pictures or captions by texts, by a picture, or by what is stored',
        body: searchBodySchema,
        consumes: ['application/json', 'multipart/form-data'],
        response: { 200: answerSchema, '4xx': problemSchema },
      },
      preValidation: async (request) => readUpload(request, parts),
    },
    async (request) => {
      const unread: z.output<typeof unreadSchema>[] = [];
      const search = await toSearch(request.body, request, parts);
      const answer = await timed(parts.metrics, 'search', () =>
        parts.index.search(search, {
          signal: request.signal,
          onUnread: (id, { code, message }) => unread.push({ id, code, message }),
        }),
      );
      return { ...answer, unread };
    },
  );
  app.decorateRequest('picture', undefined);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The picture that was uploaded in a form. */
    picture: Uint8Array<ArrayBuffer> | undefined;
  }
}

async function readUpload(request: FastifyRequest, { config }: ServerParts): Promise<void> {
  if (!request.isMultipart()) return;
  const form = await readForm(request, ['image'], config.maxImageBytes);
  request.body = form.request;
  request.picture = form.files.get('image');
}

/** The request as the index takes it, with the picture of the form or of the body. */
export async function toSearch(
  { image, hybrid, ...fields }: SearchBody,
  request: Pick<FastifyRequest, 'picture' | 'signal'>,
  parts: Pick<ServerParts, 'download'>,
): Promise<SearchRequest> {
  const given = request.picture ?? (image && (await readPictureBody(image, 'image', parts, request.signal)));
  const words = fields.keywords ?? (hybrid ? fields.text : undefined);
  return { ...fields, ...(given && { image: given }), ...(words !== undefined && { keywords: words }) };
}
