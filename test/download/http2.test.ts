import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createDownloadClient } from '#download/client.ts';
import { pictureKind } from '#download/picture-kind.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { makeCertificate } from '../queue/tcp-redis.ts';

test('a download client speaks HTTP/2 with who does, and HTTP/1.1 with others, on connections that are kept', async (t) => {
  const { certificate, key } = await makeCertificate(t);
  const cert = await readFile(certificate, 'utf8');
  const trusted = getCACertificates();
  setDefaultCACertificates([...trusted, cert]);
  t.after(() => setDefaultCACertificates(trusted));
  const picture = await drawPicture(1);
  const pair = { cert, key: await readFile(key) };
  for (const version of ['2.0', '1.1']) {
    const versions: string[] = [];
    let connections = 0;
    const answer = (request: { readonly httpVersion: string }, response: { end(body: Buffer): unknown }) => {
      versions.push(request.httpVersion);
      response.end(picture);
    };
    const server = version === '2.0' ? createSecureServer(pair, answer) : createServer(pair, answer);
    server.on('secureConnection', () => connections++);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => new Promise((resolve) => server.close(resolve)));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using client = createDownloadClient({
      ...{ policy: { isOpen: true, allowed: [host] }, maxBytes: 100_000, timeoutMs: 5000, retries: 0 },
      ...{ perHost: 2, concurrency: 8, obeysRobots: true },
    });
    const asked = Array.from({ length: 12 }, (_, i) =>
      client.get(`https://${host}/${i}`, { sniff: pictureKind }),
    );
    for (const found of await Promise.all(asked))
      assert.ok(found.kind === 'bytes' && Buffer.compare(found.bytes, picture) === 0);
    assert.deepEqual([...new Set(versions), versions.length], [version, 12]);
    assert.ok(connections <= 2, `${connections} connections`);
  }
});
