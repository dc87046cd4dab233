import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** A server of pictures on this machine. */
export interface Site {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Paths asked, in order. */
  readonly asked: string[];
  /** By path; other ones are 404. */
  readonly answers: Map<string, Answer>;
}

export async function startSite(t: { after(work: () => void): void }): Promise<Site> {
  const asked: string[] = [];
  const answers = new Map<string, Answer>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const answer = answers.get(path);
    if (answer) answer(response, request);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked, answers };
}

/** Gives these bytes with an ETag, and 304 to who has them. */
export function tagged(bytes: Uint8Array, etag: string): Answer {
  return (response, request) => {
    if (request.headers['if-none-match'] === etag) response.writeHead(304).end();
    else response.setHeader('etag', etag).end(bytes);
  };
}
