import type { Producer } from '#queue/producer.ts';
import { completeRun } from '#runs/complete.ts';
import { requeueLost } from '#runs/requeue-lost.ts';
import { RunWatch } from '#runs/run-watch.ts';
import type { RunRecord, Store } from '#store/contract.ts';
import type { Logger } from './log.ts';

interface Deps {
  readonly store: Store;
  readonly producer: Producer;
  readonly log: Logger;
}

const SWEEP_MS = 10_000;

/** Ends runs whose last chunk is done, puts back what Redis forgot, and settles what has failed for good. */
export interface Sweeper extends AsyncDisposable {
  /** Looks soon whether this run is done. */
  look(run: string): void;
}

/**
 * Sweeps at once, then every ten seconds, and a run as soon as it may be done. Every worker does: it costs little, and
 * doing it twice does no harm. What goes wrong is logged, and tried again by the next sweep.
 */
export function startSweeper({ store, producer, log }: Deps): Sweeper {
  const stop = new AbortController();
  const looked = new Set<string>();
  const watch = new RunWatch();
  let wake = (): void => undefined;
  const over = sweepUntilStopped();

  async function sweepUntilStopped(): Promise<void> {
    for (let next = 0; !stop.signal.aborted; ) {
      if (Date.now() >= next) {
        await attempt(sweep);
        next = Date.now() + SWEEP_MS;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, next - Date.now());
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (looked.size > 0 || stop.signal.aborted) wake();
      });
      const runs = [...looked];
      looked.clear();
      for (const run of runs) await attempt(() => end(run));
    }
  }

  async function sweep(): Promise<void> {
    for await (const run of store.runs.scan({ kind: 'queued', state: 'running' })) {
      if (stop.signal.aborted) return;
      await tend(run);
    }
  }

  async function tend(run: RunRecord): Promise<void> {
    const { lost, failed, reason } = await requeueLost(store, producer, run, stop.signal);
    if (lost > 0) log.warn({ run: run.id, chunks: lost }, 'chunks put back that Redis had forgotten');
    if (failed > 0)
      log.error({ run: run.id, items: failed, reason }, 'jobs failed for good: their items are listed');
    await end(run.id);
  }

  async function end(id: string): Promise<void> {
    const run = await completeRun(store, id, watch);
    if (run?.state === 'complete')
      log.info({ run: id, seen: run.seen, stored: run.stored, failed: run.failed }, 'run complete');
  }

  async function attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      if (!stop.signal.aborted) log.error(error, 'sweeping failed; it is tried again');
    }
  }

  return {
    look(run) {
      looked.add(run);
      wake();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      wake();
      await over;
    },
  };
}
