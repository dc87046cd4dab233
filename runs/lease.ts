import type { RunRecord, Store } from '#store/contract.ts';

/** How far a run is. */
export type RunCounts = Pick<RunRecord, 'seen' | 'stored' | 'skipped' | 'failed' | 'kinds' | 'truncated'>;

const RAISE_MS = 10_000;

/**
 * Raises the lease of a run for as long as this process works on it, and writes how far it is. A raise that cannot be
 * written is left out: the next one may be. `onLost` is told once where the run has ended, or another process has it.
 */
export function holdLease(
  store: Store,
  run: RunRecord,
  counts: () => RunCounts,
  onLost: () => void = () => undefined,
): AsyncDisposable {
  let lease = run.lease ?? 0;
  let raising: Promise<void> = Promise.resolve();
  async function raise(): Promise<void> {
    lease += 1;
    const isHeld = await store.runs.update({ ...run, ...counts(), lease }, run.owner).catch(() => true);
    if (isHeld) return;
    clearInterval(timer);
    onLost();
  }
  const timer = setInterval(() => {
    raising = raising.then(raise);
  }, RAISE_MS);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await raising;
    },
  };
}
