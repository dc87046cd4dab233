import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { drawPicture } from '../pipeline/pictures.ts';

export interface Misbehaving extends AsyncDisposable {
  readonly port: number;
  /** `host path` of all requests, in their order. */
  readonly asked: string[];
  /** How they named themselves. */
  readonly agents: string[];
  /** Forgets what was asked, and by how many connections. */
  reset(): void;
  /** Resolves when a path is asked. */
  seen(path: string): Promise<void>;
  /** New connections since the last `reset`. */
  connections(): number;
  /** Most requests at once since then. */
  most(): number;
}

const PICTURE = await drawPicture(1);
const DATE = 'Tue, 01 Dec 2020 10:00:00 GMT';

/** Answers otherwise the first time since `reset`. */
let seenBefore = new Set<string>();
function firstTime(path: string): boolean {
  const isFirst = !seenBefore.has(path);
  seenBefore.add(path);
  return isFirst;
}

/** What servers do to those who download from them, by path. */
const ANSWERS: Readonly<Record<string, (response: ServerResponse, request: IncomingMessage) => void>> = {
  '/picture': (response) => void response.end(PICTURE),
  '/lies-about-type': (response) => void response.setHeader('content-type', 'text/html').end(PICTURE),
  '/html': (response) => void response.setHeader('content-type', 'image/png').end('<html><body>secret'),
  '/status': (response) => void response.writeHead(503).end('no'),
  '/says-huge': (response) => void response.writeHead(200, { 'content-length': 1e12 }).flushHeaders(),
  '/is-huge': (response) => {
    response.write(PICTURE);
    const more = (): void => {
      while (response.write(Buffer.alloc(65_536)));
      response.once('drain', more);
    };
    more();
  },
  '/packed': (response) => void response.setHeader('content-encoding', 'gzip').end(PICTURE),
  '/gzip': (response) => void response.setHeader('content-encoding', 'gzip').end(gzipSync(PICTURE)),
  '/brotli': (response) => void response.setHeader('content-encoding', 'br').end(brotliCompressSync(PICTURE)),
  '/bomb': (response) =>
    void response
      .setHeader('content-encoding', 'gzip')
      .end(gzipSync(Buffer.concat([PICTURE, Buffer.alloc(10_000_000)]))),
  '/missing': (response) => void response.writeHead(404).end('nothing'),
  '/forbidden': (response) => void response.writeHead(403).end('no'),
  '/robots': (response) => void response.setHeader('x-robots-tag', ['nofollow', 'noai']).end(PICTURE),
  '/robots-of-others': (response) => void response.setHeader('x-robots-tag', 'otherbot: noai').end(PICTURE),
  '/fails-once': (response) =>
    void (firstTime('/fails-once') ? response.writeHead(502).end('soon') : response.end(PICTURE)),
  '/resets-once': (response) => void (firstTime('/resets-once') ? response.destroy() : response.end(PICTURE)),
  '/busy-once': (response) =>
    void (firstTime('/busy-once')
      ? response.writeHead(429, { 'retry-after': '1' }).end('later')
      : response.end(PICTURE)),
  '/busy-for-long': (response) => void response.writeHead(429, { 'retry-after': '86400' }).end('tomorrow'),
  '/etag': (response, request) => {
    const isSame = request.headers['if-none-match'] === '"one"';
    response.writeHead(isSame ? 304 : 200, { etag: '"one"' }).end(isSame ? undefined : PICTURE);
  },
  '/dated': (response, request) => {
    const isSame = request.headers['if-modified-since'] === DATE;
    response.writeHead(isSame ? 304 : 200, { 'last-modified': DATE }).end(isSame ? undefined : PICTURE);
  },
  '/sized': (response) => void response.writeHead(200, { 'content-length': PICTURE.length }).end(PICTURE),
  '/never': () => undefined,
  '/drips': (response) => {
    response.write(PICTURE.subarray(0, 20));
    const drip = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(drip));
  },
  '/cut': (response) => {
    response.writeHead(200, { 'content-length': PICTURE.length });
    response.write(PICTURE.subarray(0, 20), () => response.destroy());
  },
  '/loop': (response) => void response.writeHead(302, { location: '/loop' }).end(),
  '/nowhere': (response) => void response.writeHead(302).end(),
  '/to': (response, request) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x');
    response.writeHead(302, { location: searchParams.get('url') ?? '' }).end();
  },
};

export async function startMisbehaving(): Promise<Misbehaving> {
  const asked: string[] = [];
  const agents: string[] = [];
  const waiting = new Map<string, () => void>();
  const count = { connections: 0, now: 0, most: 0 };
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    asked.push(`${request.headers.host} ${path}`);
    agents.push(request.headers['user-agent'] ?? '');
    count.most = Math.max(count.most, ++count.now);
    response.once('close', () => count.now--);
    ANSWERS[path]?.(response, request);
    waiting.get(path)?.();
  });
  server.on('connection', () => count.connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    agents,
    reset() {
      asked.length = 0;
      seenBefore = new Set();
      Object.assign(count, { connections: 0, most: 0 });
    },
    seen: (path) => new Promise((resolve) => waiting.set(path, resolve)),
    connections: () => count.connections,
    most: () => count.most,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export { PICTURE };
