import { setTimeout } from 'node:timers/promises';
import { openQueues } from '#queue/bull-queues.ts';
import type { RedisClient } from '#queue/connection.ts';
import { redisTime } from '#queue/redis-time.ts';
import { queueStatus } from '#queue/status.ts';
import type { RunStatus } from '#runs/status.ts';
import type { OpenIndex } from '#service/contract.ts';
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
  index: OpenIndex,
  client: RedisClient,
  id: string,
  signal: AbortSignal,
  flags: RedisFlags & { readonly index: string; readonly json: boolean },
): Promise<void> {
  let standing: Standing | undefined;
  using _ = showRun(() => standing);
  const queues = openQueues(client, index.id);
  try {
    for (let warned = false; ; ) {
      // The store knows when the run ends, also while Redis does not answer.
      const queue = await queueStatus(queues).catch(() => undefined);
      const run = await index.run(id, queue && new Date(await redisTime(client)));
      if (run.record.state !== 'running') return end(run, flags);
      standing = { run, queue };
      if (queue?.workers === 0 && !warned) {
        note(`No worker is running on this index: start one with "vlmo worker ${hintFlags(flags)}".`);
        warned = true;
      }
      await setTimeout(LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) continue;
      note(`The run goes on without this command: vlmo status ${id} ${hintFlags(flags)}`);
      process.exitCode = EXIT_INTERRUPTED;
      return;
    }
  } finally {
    await queues.close();
  }
}

function end(run: RunStatus, { index, json }: { readonly index: string; readonly json: boolean }): void {
  const { record } = run;
  const standing: Standing = { run, queue: undefined };
  if (json) printJson(standingJson(standing));
  else {
    print(standingLine(standing));
    if (record.failed > 0) print(`What failed, and why: vlmo failures --index ${shellWord(index)}`);
  }
  const isWhole = record.state === 'complete';
  process.exitCode = !isWhole ? EXIT_INTERRUPTED : record.failed > 0 ? EXIT_ITEMS_FAILED : EXIT_DONE;
}
