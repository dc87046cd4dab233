import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { makeThumbnail } from '#pictures/thumbnail.ts';
import { collectionSchema, nameSchema } from '#search/request.ts';
import { problemSchema } from '../errors/problem.ts';
import { timed } from '../metrics/metrics.ts';
import type { App, ServerParts } from '../parts.ts';
import { findPicture, readStored } from '../pictures/stored-picture.ts';
import { createThumbnailCache } from '../pictures/thumbnail-cache.ts';

const byKey = z.strictObject({ key: nameSchema });
const inCollection = z.strictObject({ collection: collectionSchema.default('default') });
/** Few sizes, so that the cache is met: a size means the next of these. */
const SIDES = [128, 256, 512, 1024] as const;
const sized = inCollection.extend({
  size: z.coerce.number().int().min(1).max(1024).default(256).describe('Pixels of the longer side'),
});

/** A drawing may hold scripts: whatever a picture is, it is shown and nothing else. */
const PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
const TYPES: Readonly<Partial<Record<string, string>>> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  tiff: 'image/tiff',
  heif: 'image/avif',
  svg: 'image/svg+xml',
};

/** `GET /v1/items/{key}/image` and `/thumbnail?size=`: as files that browsers keep and ask after by their ETag. */
export function addPictures(app: App, { index, config, metrics }: ServerParts): void {
  const folder = isAbsolute(index.folder) ? index.folder : join(tmpdir(), `vlmo-${index.id}`);
  const cache = createThumbnailCache(join(folder, 'thumbnails'), config.thumbnailBytes);
  const { maxImageBytes, maxPixels } = config;
  const answers = { 304: z.undefined(), 404: problemSchema };
  app.get(
    '/v1/items/:key/image',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['items'],
        summary: 'The picture as its file has it',
        params: byKey,
        querystring: inCollection,
        response: answers,
      },
    },
    async (request, reply) => {
      const row = await findPicture(index, request.params.key, request.query.collection);
      const bytes = await readStored(row, maxImageBytes);
      const type = TYPES[row.format] ?? 'application/octet-stream';
      return sendPicture(request, reply, { bytes, type, tag: tagOf(bytes) });
    },
  );
  app.get(
    '/v1/items/:key/thumbnail',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['items'],
        summary: 'The picture as a small WebP',
        params: byKey,
        querystring: sized,
        response: answers,
      },
    },
    async (request, reply) => {
      const { size, collection } = request.query;
      const row = await findPicture(index, request.params.key, collection);
      const side = SIDES.find((one) => one >= size) ?? 1024;
      // By content: what is indexed anew under the same key is another picture.
      const name = `${row.sha256.slice(0, 32)}-${side}.webp`;
      const tag = `"${name}"`;
      if (isKnown(request, tag))
        return sendPicture(request, reply, { bytes: NOTHING, type: 'image/webp', tag });
      const bytes = await timed(metrics, 'thumbnail', () =>
        cache.get(name, async () => makeThumbnail(await readStored(row, maxImageBytes), side, { maxPixels })),
      );
      return sendPicture(request, reply, { bytes, type: 'image/webp', tag });
    },
  );
}

interface Sent {
  readonly bytes: Uint8Array;
  readonly type: string;
  readonly tag: string;
}

const NOTHING = new Uint8Array();

function sendPicture(request: FastifyRequest, reply: FastifyReply, { bytes, type, tag }: Sent): FastifyReply {
  // Private: what needs a key is in nobody's shared cache.
  reply
    .header('cache-control', 'private, max-age=300')
    .header('etag', tag)
    .header('content-security-policy', PICTURE_POLICY);
  if (isKnown(request, tag)) return reply.code(304).send();
  return reply.type(type).send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

function isKnown(request: FastifyRequest, tag: string): boolean {
  const known = request.headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, ''));
  return known?.includes(tag) === true;
}

function tagOf(bytes: Uint8Array): string {
  return `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 32)}"`;
}
