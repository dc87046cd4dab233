import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { drawPicture } from '../pipeline/pictures.ts';

export interface Misbehaving extends AsyncDisposable {
  readonly port: number;
  /** `host path` of all requests, in their order. */
  readonly asked: string[];
}

const PICTURE = await drawPicture(1);

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
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    asked.push(`${request.headers.host} ${path}`);
    ANSWERS[path]?.(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export { PICTURE };
