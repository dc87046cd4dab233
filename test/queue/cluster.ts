import { readFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { Redis } from 'ioredis';
import { until } from './queue-fixture.ts';
import { type Certificate, startTcpRedis } from './tcp-redis.ts';

interface ClusterSetup {
  readonly nodes: number;
  readonly password?: string;
  readonly tls?: Certificate;
}

const HOST = '127.0.0.1';
const SLOTS = 16_384;

/** A real Cluster of masters, each with a part of the slots; gone after the test. Gives their ports. */
export async function startCluster(
  t: TestContext,
  { nodes, password, tls }: ClusterSetup,
): Promise<number[]> {
  const ports: number[] = [];
  const buses: number[] = [];
  for (let n = 0; n < nodes; n++) {
    const settings = ({ bus }: { bus: number }): string[] => {
      buses[n] = bus;
      const args = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`, '--cluster-announce-ip', HOST];
      if (password) args.push('--requirepass', password);
      if (tls) args.push('--tls-cluster', 'yes');
      return args;
    };
    ports.push((await startTcpRedis(t, settings, tls)).port);
  }
  const login = {
    ...(password && { password }),
    ...(tls && { tls: { ca: await readFile(tls.certificate) } }),
  };
  const clients = ports.map((port) => new Redis({ host: HOST, port, ...login }));
  try {
    for (const [n, client] of clients.entries()) {
      const [from, to] = [n, n + 1].map((part) => Math.round((SLOTS * part) / nodes)) as [number, number];
      await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to - 1);
      await client.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1);
      if (n > 0) await clients[0]?.call('CLUSTER', 'MEET', HOST, `${ports[n]}`, `${buses[n]}`);
    }
    for (const client of clients)
      await until(
        async () => String(await client.call('CLUSTER', 'INFO')),
        (info) => info.includes('cluster_state:ok') && info.includes(`cluster_size:${nodes}`),
      );
  } finally {
    for (const client of clients) client.disconnect();
  }
  return ports;
}
