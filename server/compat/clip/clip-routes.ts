import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { FastifyRequest } from 'fastify';
import { parseGiven } from '#config/parse-given.ts';
import { VlmoError } from '#errors.ts';
import { schemeOf } from '#uri.ts';
import { parseJsonBody } from '../../bodies/json-body.ts';
import type { App, ServerParts } from '../../parts.ts';
import { ignoredSwitches, type KnnBody, knnQuery, knnSchema, metadataSchema } from './clip-body.ts';
import { openRowNumbers, type RowNumbers } from './row-numbers.ts';

/**
 * The back end of clip-retrieval, for clip-front and its Python client. They send JSON under any content type and no
 * headers, so a key stands in the path: `/clip/KEY/knn-service`.
 */
export async function addClip(app: App, parts: ServerParts): Promise<void> {
  const numbers = numbersOf(parts);
  for (const prefix of ['', '/clip/:key'])
    await app.register(
      async (inner) => {
        const routes = inner as unknown as App;
        routes.removeAllContentTypeParsers();
        routes.addContentTypeParser('*', { parseAs: 'string' }, async (_: unknown, body: string) =>
          parseJsonBody(body),
        );
        addRoutes(routes, parts, numbers);
      },
      { prefix },
    );
}

type NumbersOf = (generation: string) => RowNumbers;

function numbersOf({ index }: ServerParts): NumbersOf {
  const home = isAbsolute(index.folder) ? index.folder : join(tmpdir(), `vlmo-${index.id}`);
  const opened = new Map<string, RowNumbers>();
  return (generation) => {
    const numbers = opened.get(generation) ?? openRowNumbers(join(home, 'clip-ids'), generation);
    opened.set(generation, numbers);
    return numbers;
  };
}

function addRoutes(app: App, parts: ServerParts, numbersOf: NumbersOf): void {
  const { index, config, metrics } = parts;
  const options = { config: { scope: 'read', keyInPath: true }, schema: { hide: true } } as const;
  app.get('/indices-list', options, async () => {
    const all = await index.generations();
    return [...new Set(all.map(({ collection }) => collection))].toSorted();
  });
  app.post('/knn-service', options, async (request, reply) => {
    const body = parseGiven(knnSchema, request.body ?? {}, { code: 'REQUEST_INVALID', action: 'search' });
    const ignored = ignoredSwitches(body);
    if (ignored.length > 0) reply.header('warning', `299 - "ignored: ${ignored.join(', ')}"`);
    return knn(request, body, parts, numbersOf);
  });
  app.post('/metadata', options, async (request) => {
    const { ids, indice_name: name } = parseGiven(metadataSchema, request.body ?? {}, {
      code: 'REQUEST_INVALID',
      action: 'look up items',
    });
    const collection = name || config.collection;
    const numbers = numbersOf((await index.serving(collection)).name);
    const found = await Promise.all(
      ids.map(async (id) => {
        const key = await numbers.key(id);
        const item = key === undefined ? undefined : await itemOf(parts, key, collection);
        return item ? [{ id, metadata: metadataOf(request, item.row, captionOf(item), item.row.key) }] : [];
      }),
    );
    return found.flat();
  });
  app.get('/metrics-summary', options, async () => {
    const { values } = await metrics.stages.get();
    const sums = values.filter(({ metricName = '' }) => /_(?:sum|count)$/.test(metricName));
    return Object.fromEntries(
      sums.map(({ metricName = '', labels, value }) => [
        `${labels.stage}${metricName.endsWith('_sum') ? '_seconds' : '_count'}`,
        value,
      ]),
    );
  });
  app.get('/config.json', options, async (request) => ({
    defaultBackend: baseOf(request),
    defaultIndex: config.collection,
    urlColumn: 'url',
  }));
}

async function knn(
  request: FastifyRequest,
  body: KnnBody,
  parts: ServerParts,
  numbersOf: NumbersOf,
): Promise<object[]> {
  const { index, config } = parts;
  const collection = body.indice_name || config.collection;
  const k = Math.max(body.num_images, body.num_result_ids ?? body.num_images);
  if (k === 0) return [];
  const { name } = await index.serving(collection);
  const target = body.modality === 'image' ? 'images' : 'captions';
  const query = await knnQuery(body, parts, request.signal);
  const { hits } = await index.search({ ...query, collection, in: target, k }, { signal: request.signal });
  const ids = await numbersOf(name).numbers(hits.map(({ key }) => key));
  return hits.map((hit, i) => {
    const known = { id: ids[i], similarity: hit.cosine };
    if (i >= body.num_images) return known;
    return { ...metadataOf(request, hit, hit.caption, hit.imageKey), ...known };
  });
}

type Item = Exclude<Awaited<ReturnType<ServerParts['index']['item']>>, { kind: 'failed' }>;

async function itemOf({ index }: ServerParts, key: string, collection: string): Promise<Item | undefined> {
  const found = await index.item({ key }, collection).catch((error: unknown) => {
    if (error instanceof VlmoError && error.code === 'SEARCH_ITEM_NOT_FOUND') return undefined;
    throw error;
  });
  return found && found.kind !== 'failed' ? found : undefined;
}

function captionOf(item: Item): string | null {
  return item.kind === 'caption' ? item.row.caption : (item.captions[0]?.caption ?? null);
}

interface Described {
  readonly uri: string;
  readonly meta: Readonly<Record<string, unknown>>;
}

/** The columns of its source, with the caption and an address that a page can show. */
function metadataOf(
  request: FastifyRequest,
  { uri, meta }: Described,
  caption: string | null,
  imageKey: string | null,
): object {
  const isAddress = ['http', 'https'].includes(schemeOf(uri) ?? '');
  const own = imageKey === null ? undefined : `${siteOf(request)}/v1/items/${imageKey}/image`;
  const url = isAddress ? uri : own;
  return { ...meta, ...(caption !== null && { caption }), ...(url !== undefined && { url }) };
}

function siteOf(request: FastifyRequest): string {
  const prefix = (request.routeOptions.url ?? '').replace(/(\/clip\/:key)?\/[^/]+$/, '');
  return `${request.protocol}://${request.host}${prefix}`;
}

/** Where these routes lie, as the client wrote it. */
function baseOf(request: FastifyRequest): string {
  const path = (request.url.split('?')[0] ?? '').replace(/\/[^/]+$/, '');
  return `${request.protocol}://${request.host}${path}`;
}
