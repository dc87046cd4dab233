import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { ALL_OPTIONS } from '#config/options.ts';
import { type KeyRing, readKeys } from '#server/guards/keys.ts';
import type { JobQueue, ServeConfig } from '#server/parts.ts';
import { type Server, startServer } from '#server/serve.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import { DEMO_MODEL, type DrawnScene, drawFirstScenes } from '../search/demo-scenes.ts';

export interface ServedIndex {
  readonly index: OpenIndex;
  readonly scenes: readonly DrawnScene[];
}

/** An index of some scenes of the demo and their captions, made with the demo model; one picture in it is damaged. */
export async function indexScenes(folder: string, count = 8): Promise<ServedIndex> {
  const pictures = join(folder, 'pictures');
  await mkdir(pictures, { recursive: true });
  const scenes = await drawFirstScenes(pictures, count);
  const rows = scenes.map(({ path, caption }, n) =>
    JSON.stringify({ file_name: path.slice(pictures.length + 1), caption, n }),
  );
  await writeFile(join(pictures, 'metadata.jsonl'), rows.join('\n'));
  await writeFile(join(pictures, 'broken.png'), 'no picture');
  const settings = { device: 'cpu', inferenceWorkers: 1, decodeThreads: 1 } as const;
  const index = await openIndex(join(folder, 'index'), { ...settings, create: true, model: DEMO_MODEL });
  await index.index(pictures, { sourceName: 'scenes' });
  return { index, scenes };
}

const noKeys: KeyRing = await readKeys(undefined, undefined);

/** What a server logged, a line each. */
export interface Logged {
  readonly lines: string[];
}

/** Serves an index on a free port of this machine. */
export function serve(
  index: OpenIndex,
  config: Partial<ServeConfig> = {},
  keys: KeyRing = noKeys,
  { lines }: Logged = { lines: [] },
  queue?: JobQueue,
): Promise<Server> {
  const {
    host,
    allowAnonymous,
    basePath,
    maxBodyBytes,
    maxImageBytes,
    maxPixels,
    collection,
    thumbnailBytes,
    uploadQuota,
  } = ALL_OPTIONS;
  const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) });
  return startServer({
    index,
    keys,
    log,
    queue,
    config: {
      host: host.default,
      port: 0,
      allowAnonymous: allowAnonymous.default,
      corsOrigins: undefined,
      basePath: basePath.default,
      forwarders: undefined,
      collection: collection.default,
      maxBodyBytes: maxBodyBytes.default,
      maxImageBytes: maxImageBytes.default,
      maxPixels: maxPixels.default,
      thumbnailBytes: thumbnailBytes.default,
      fetch: false,
      clipCompat: false,
      rateLimit: 6000,
      fetchAllows: undefined,
      fetchOnlyAllowed: false,
      sourceRoots: undefined,
      uploadQuota: uploadQuota.default,
      ...config,
    },
  });
}

/** A JSON request; the answer's status and body. */
export async function ask<T = Record<string, unknown>>(
  url: string,
  body?: unknown,
  init: RequestInit = {},
): Promise<{ readonly status: number; readonly body: T; readonly headers: Headers }> {
  const post =
    body === undefined
      ? {}
      : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await fetch(url, {
    ...post,
    ...init,
    headers: { ...(post.headers ?? {}), ...((init.headers as Record<string, string>) ?? {}) },
  });
  return { status: response.status, body: (await response.json()) as T, headers: response.headers };
}
