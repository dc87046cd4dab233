import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { VlmoError } from '#errors.ts';
import { boot } from '#host-process.ts';
import type { Beat } from '#queue/heartbeat.ts';
import { findSign, readSign, type Sign } from './worker-sign.ts';

/** How long a sign is looked for: a network disk shows what another machine wrote after a while. */
const LOOK_MS = 10_000;
const AGAIN_MS = 250;

/**
 * Holds that the live workers of a queue work on the very index in this folder, by the files that they keep in it; a copy
 * has the same id and so the same queue. `alive` asks Redis. Throws INDEX_COPIED.
 */
export async function requireSameIndex(
  index: string,
  alive: () => Promise<readonly Beat[]>,
  lookMs = LOOK_MS,
): Promise<void> {
  /** The first sign that was heard of each worker. */
  const first = new Map<string, Sign>();
  for (const end = performance.now() + lookMs; ; ) {
    let unseen: Sign | undefined;
    for (const beat of await alive()) {
      const sign = readSign(beat);
      if (!sign || sign.place === null) continue;
      const before = first.get(sign.worker) ?? sign;
      first.set(sign.worker, before);
      if (!(await isSeen(index, sign, before))) unseen = sign;
    }
    if (!unseen) return;
    if (performance.now() >= end) throw copied(index, unseen);
    await setTimeout(AGAIN_MS);
  }
}

async function isSeen(index: string, sign: Sign, before: Sign): Promise<boolean> {
  const found = await findSign(index, sign);
  if (!found || found.count < sign.count) return false;
  if (sign.boot !== boot() || found.place === sign.place) return true;
  // On one machine, another file: of the same index by another mount it is raised too, in a copy it is not.
  return sign.count > before.count;
}

function copied(index: string, { host, path }: Sign): VlmoError {
  const way = `give one of them an id of its own: vlmo doctor --index ${index} --new-id`;
  return new VlmoError(
    'INDEX_COPIED',
    `Cannot use the queue of index "${index}" on "${hostname()}": a worker on "${host}" works on another copy of it, "${path}"; ${way}`,
  );
}
