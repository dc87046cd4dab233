import { Cluster, type Redis } from 'ioredis';
import { VlmoError } from '#errors.ts';

/** BullMQ asks for it. */
const OLDEST = [6, 2] as const;
const SAFE_POLICY = 'noeviction';

/** Throws REDIS_UNSUITABLE for a server that may drop jobs when its memory is full, or that is too old. */
export async function checkServer(client: Redis | Cluster, address: string): Promise<void> {
  for (const node of client instanceof Cluster ? client.nodes('master') : [client])
    await checkNode(node, address);
}

async function checkNode(node: Redis, address: string): Promise<void> {
  const info = await node.info();
  const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? '';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw unsuitable(address, `version ${OLDEST.join('.')} or newer`, `version ${version}`);
  // Also hosted servers that refuse CONFIG say it here.
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy === undefined || policy === SAFE_POLICY) return;
  const mend = `redis-cli CONFIG SET maxmemory-policy ${SAFE_POLICY}`;
  throw unsuitable(
    address,
    `maxmemory-policy ${SAFE_POLICY}`,
    `${policy}, which may drop jobs when memory is full; change it: ${mend}`,
  );
}

function unsuitable(address: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'REDIS_UNSUITABLE',
    `Cannot use Redis at "${address}": expected ${expected}, received ${received}`,
  );
}
