import { Cluster, type Redis } from 'ioredis';
import type { RedisClient } from './connection.ts';

/** `full`: its memory is used up; `read-only`: it is a replica, or becomes one. */
export type ServerState = 'ok' | 'full' | 'read-only';

/** Whether Redis takes what it is given: of a Cluster, each of its masters. */
export async function serverState(client: RedisClient): Promise<ServerState> {
  const nodes: Redis[] = client instanceof Cluster ? client.nodes('master') : [client as Redis];
  const states = await Promise.all(nodes.map(async (node) => readState(await node.info())));
  return states.find((state) => state !== 'ok') ?? 'ok';
}

function readState(info: string): ServerState {
  const read = (name: string): string => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? '';
  if (read('role') === 'slave' && read('slave_read_only') !== '0') return 'read-only';
  const most = Number(read('maxmemory'));
  return most > 0 && Number(read('used_memory')) >= most ? 'full' : 'ok';
}
