import { isGone } from '#host-process.ts';
import type { RunRecord, Store } from '#store/contract.ts';

/** How long a lease has to stand still, by the clock of whoever looks, before its owner counts as killed. */
export const STILL_MS = 60_000;

/**
 * Tells which runs have ended, also those whose process was killed and could not write it: the same host sees that the
 * process is gone, any other that its lease stands still. Clocks of two machines are never compared.
 */
export class RunWatch {
  readonly #now: () => number;
  /** The lease of a run when it was last seen to change. */
  readonly #seen = new Map<string, { readonly lease: number | null; readonly at: number }>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Whether a run, as it is in the store now, has ended. The first look at a lease of another host never tells. */
  async hasEnded(store: Store, run: RunRecord): Promise<boolean> {
    if (run.state !== 'running') return true;
    // Its life is that of its chunks, which workers have.
    if (run.kind === 'queued' && run.submitted) return false;
    if (this.hasOwner(run)) return false;
    if (run.kind === 'direct') return true;
    for await (const _ of store.ledger.unsettled(run.id)) return false;
    return true;
  }

  /** Whether the process that works on a run, or submits it, may be alive. */
  hasOwner({ id, owner, lease }: RunRecord): boolean {
    if (owner === null || isGone(owner)) return false;
    const seen = this.#seen.get(id);
    const now = this.#now();
    if (seen && seen.lease === lease) return now - seen.at < STILL_MS;
    this.#seen.set(id, { lease, at: now });
    return true;
  }
}
