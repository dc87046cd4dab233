import { setTimeout } from 'node:timers/promises';
import { VlmoError } from '#errors.ts';
import type { Queues } from '#queue/bull-queues.ts';
import { redisTime } from '#queue/redis-time.ts';
import { queueStatus } from '#queue/status.ts';
import { completeRun } from '#runs/complete.ts';
import { runStatus } from '#runs/status.ts';
import type { RunRecord, Store } from '#store/contract.ts';
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_ITEMS_FAILED } from './exit-codes.ts';
import { hintFlags, type RedisFlags } from './open-queue.ts';
import { note, print, printJson, shellWord } from './output.ts';
import { showRun } from './progress.ts';
import { type Standing, standingJson, standingLine } from './run-report.ts';

const LOOK_MS = 1000;

/**
 * Follows a queued run to its end and says how it went, with the exit codes of `vlmo index`. Told to stop, it leaves;
 * the run goes on.
 */
export async function followRun(
  store: Store,
  queues: Queues,
  id: string,
  signal: AbortSignal,
  flags: RedisFlags & { readonly index: string; readonly json: boolean },
): Promise<void> {
  let standing: Standing | undefined;
  using _ = showRun(() => standing);
  let warned = false;
  for (;;) {
    const record = await completeRun(store, id);
    if (!record) throw runNotFound(id);
    if (record.state !== 'running') return await end(store, record, flags);
    // The store knows when the run ends, also while Redis does not answer.
    const queue = await queueStatus(queues).catch(() => undefined);
    const now = queue && new Date(await redisTime(queues.client));
    standing = { run: await runStatus(store, record, now), queue };
    if (queue?.workers === 0 && !warned) {
      note(`No worker is running on this index: start one with "vlmo worker ${hintFlags(flags)}".`);
      warned = true;
    }
    try {
      await setTimeout(LOOK_MS, undefined, { signal });
    } catch {
      note(`The run goes on without this command: vlmo status ${id} ${hintFlags(flags)}`);
      process.exitCode = EXIT_INTERRUPTED;
      return;
    }
  }
}

export function runNotFound(id: string): VlmoError {
  return new VlmoError(
    'RUN_NOT_FOUND',
    `Cannot find run "${id}": expected the id of a run of this index, received one that it does not have; "vlmo status" lists them`,
  );
}

async function end(
  store: Store,
  record: RunRecord,
  { index, json }: { readonly index: string; readonly json: boolean },
): Promise<void> {
  const standing: Standing = { run: await runStatus(store, record, undefined), queue: undefined };
  if (json) printJson(standingJson(standing));
  else {
    print(standingLine(standing));
    if (record.failed > 0) print(`What failed, and why: vlmo failures --index ${shellWord(index)}`);
  }
  const isWhole = record.state === 'complete';
  process.exitCode = !isWhole ? EXIT_INTERRUPTED : record.failed > 0 ? EXIT_ITEMS_FAILED : EXIT_DONE;
}
