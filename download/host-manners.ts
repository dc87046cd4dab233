import { setTimeout as sleep } from 'node:timers/promises';
import PQueue from 'p-queue';

interface Host {
  readonly queue: PQueue;
  pausedUntil: number;
}

/** Hosts remembered for their pauses. */
const MAX_IDLE = 1024;

/**
 * How hosts are treated: so many requests to one at a time, so many in all, and none to one that has asked for a pause.
 * Who waits for a host takes nobody else's place.
 */
export class HostManners {
  readonly #perHost: number;
  readonly #all: PQueue;
  readonly #hosts = new Map<string, Host>();

  constructor(perHost: number, concurrency: number) {
    this.#perHost = perHost;
    this.#all = new PQueue({ concurrency });
  }

  /** Does work that asks a host, once or more often, when it is its turn. */
  take<T>(host: string, work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#of(host).queue.add(work, { ...(signal && { signal }) });
  }

  /** One request, when the host has no pause and there is room among all. */
  async ask<T>(host: string, work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    for (let left = this.#left(host); left > 0; left = this.#left(host))
      await sleep(left, undefined, { ...(signal && { signal }) });
    return this.#all.add(work, { ...(signal && { signal }) });
  }

  /** Nobody asks this host for a while. */
  pause(host: string, ms: number): void {
    const known = this.#of(host);
    known.pausedUntil = Math.max(known.pausedUntil, performance.now() + ms);
  }

  #left(host: string): number {
    return this.#of(host).pausedUntil - performance.now();
  }

  #of(name: string): Host {
    const known = this.#hosts.get(name);
    if (known) return known;
    if (this.#hosts.size >= MAX_IDLE) this.#forgetIdle();
    const host = { queue: new PQueue({ concurrency: this.#perHost }), pausedUntil: 0 };
    this.#hosts.set(name, host);
    return host;
  }

  #forgetIdle(): void {
    const now = performance.now();
    for (const [name, { queue, pausedUntil }] of this.#hosts)
      if (queue.size + queue.pending === 0 && pausedUntil <= now) this.#hosts.delete(name);
  }
}
