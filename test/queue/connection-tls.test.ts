import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startCluster } from './cluster.ts';
import { type Certificate, makeCertificate, startSentinel, startTcpRedis } from './tcp-redis.ts';

const CHILD = fileURLToPath(new URL('./connect-child.ts', import.meta.url));

/** What a process says that connects to a server, and trusts a certificate from its start. */
async function connected(url: string, trusted?: Certificate): Promise<string> {
  const env = { ...process.env, REDIS_URL: url, NODE_EXTRA_CA_CERTS: trusted?.certificate };
  return (await promisify(execFile)(process.execPath, [CHILD], { env })).stdout.trim();
}

describe('connectRedis by TLS', () => {
  test('to a server whose certificate is trusted', async (t) => {
    const certificate = await makeCertificate(t);
    const { port } = await startTcpRedis(t, () => ['--requirepass', 'secret'], certificate);
    assert.equal(await connected(`rediss://:secret@127.0.0.1:${port}/1`, certificate), 'OK');
  });

  test('not to one whose certificate nobody has signed that is trusted', async (t) => {
    const { port } = await startTcpRedis(t, () => [], await makeCertificate(t));
    const url = `rediss://127.0.0.1:${port}/0`;
    const start = `Cannot reach Redis at "${url}": expected an answer, received self-signed certificate;`;
    const said = await connected(url);
    assert.ok(said.startsWith(start), said);
  });

  test('through a Sentinel', async (t) => {
    const certificate = await makeCertificate(t);
    const master = await startTcpRedis(t, () => [], certificate);
    const { port } = await startSentinel(t, 'm', master.port, certificate);
    assert.equal(await connected(`rediss-sentinel://127.0.0.1:${port}/m`, certificate), 'OK');
  });

  test('to a Cluster', async (t) => {
    const certificate = await makeCertificate(t);
    const [port] = await startCluster(t, { nodes: 1, tls: certificate });
    assert.equal(await connected(`rediss-cluster://127.0.0.1:${port}`, certificate), 'OK');
  });
});
