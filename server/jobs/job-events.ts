import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { JobStatus } from './job-status.ts';

const LOOK_MS = 250;
/** Proxies and browsers give up connections that say nothing. */
const BEAT_MS = 15_000;

/**
 * How a job goes on as server-sent events: `progress` whenever something has changed, `end` once it is over, and then no
 * more. The id of an event is made of what it says, so that whoever comes back with it, here or to another server, is told
 * only what is new.
 */
export function jobEvents(
  ask: () => Promise<JobStatus>,
  lastId: string | undefined,
  signal: AbortSignal,
): Readable {
  return Readable.from(events(ask, lastId, signal));
}

async function* events(
  ask: () => Promise<JobStatus>,
  lastId: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let known = lastId;
  let spoke = performance.now();
  while (!signal.aborted) {
    const status = await ask();
    const { rate: _, secondsLeft: __, ...lasting } = status;
    const id = createHash('sha256').update(JSON.stringify(lasting)).digest('base64url').slice(0, 16);
    const isOver = status.state !== 'running' && status.state !== 'waiting';
    if (id !== known || isOver) {
      known = id;
      spoke = performance.now();
      yield `event: ${isOver ? 'end' : 'progress'}\nid: ${id}\ndata: ${JSON.stringify(status)}\n\n`;
    } else if (performance.now() - spoke > BEAT_MS) {
      spoke = performance.now();
      yield ': still there\n\n';
    }
    if (isOver) return;
    await setTimeout(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}
