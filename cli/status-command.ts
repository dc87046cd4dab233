import { setTimeout } from 'node:timers/promises';
import type { CommandConfig } from '#config/commands.ts';
import { errorMessage } from '#errors.ts';
import { openQueues, type Queues } from '#queue/bull-queues.ts';
import { redisTime } from '#queue/redis-time.ts';
import { type QueueStatus, queueStatus } from '#queue/status.ts';
import type { RunStatus } from '#runs/status.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { followRun } from './follow-run.ts';
import { type OpenRedis, openRedis } from './open-queue.ts';
import { describeOtherJobs } from './other-jobs.ts';
import { counted, formatCount, note, print, printable, printJson } from './output.ts';
import { standingJson, standingLine } from './run-report.ts';
import { stopOnSignals } from './signals.ts';

const WATCH_MS = 2000;

type StatusConfig = CommandConfig<'status'>;

/** `vlmo status`: how the runs of an index stand. */
export async function runStatus(flags: StatusConfig, [run]: readonly [string | undefined]): Promise<void> {
  await using index = await openIndex(flags.index);
  await using redis = await openRedisIfThere(index, flags);
  using signals = stopOnSignals();
  process.exitCode = EXIT_DONE;
  if (run !== undefined && flags.watch && redis)
    return await followRun(index, redis.client, run, signals.signal, flags);
  const queues = redis && openQueues(redis.client, index.id);
  try {
    for (;;) {
      const isOver = await show(index, queues, run, flags);
      if (!flags.watch || isOver || signals.signal.aborted) return;
      await setTimeout(WATCH_MS, undefined, { signal: signals.signal }).catch(() => undefined);
    }
  } finally {
    await queues?.close();
  }
}

/** The store knows how far a run is without Redis; only what waits where, and who works, is in Redis alone. */
async function openRedisIfThere(index: OpenIndex, flags: StatusConfig): Promise<OpenRedis | undefined> {
  try {
    return await openRedis(index, flags);
  } catch (error) {
    note(
      printable(`${errorMessage(error)}\nWhat follows is what the index itself knows.`).replaceAll(
        '\\x0a',
        '\n',
      ),
    );
    return undefined;
  }
}

async function show(
  index: OpenIndex,
  queues: Queues | undefined,
  id: string | undefined,
  { json }: StatusConfig,
): Promise<boolean> {
  const queue = queues && (await queueStatus(queues));
  const now = queues && new Date(await redisTime(queues.client));
  const runs = id === undefined ? (await index.runs(now)).filter(isQueued) : [await index.run(id, now)];
  for (const run of runs) {
    const standing = { run, queue };
    if (json) printJson(standingJson(standing));
    else print(`${run.record.id}  ${printable(run.record.source)}\n  ${standingLine(standing)}`);
  }
  if (!json && runs.length === 0) print('Nothing was submitted to this index.');
  if (!json && queue) print(describeQueue(queue));
  return runs.every(({ record }) => record.state !== 'running');
}

function isQueued({ record }: RunStatus): boolean {
  return record.kind === 'queued';
}

function describeQueue(queue: QueueStatus): string {
  const { waiting, active, delayed, failed, workers, server, isPaused, failures } = queue;
  const jobs = `${formatCount(waiting)} waiting, ${formatCount(active)} worked on, ${formatCount(delayed)} to be tried again, ${formatCount(failed)} failed`;
  const lines = [`Queue${isPaused ? ' (paused)' : ''}: jobs ${jobs}; ${counted(workers, 'worker')} alive.`];
  lines.push(...describeOtherJobs(queue.otherJobs));
  if (server !== 'ok') lines.push(`Redis is ${server}: what it refuses is tried again until it takes it.`);
  for (const { id, reason } of failures) lines.push(`  job ${id} failed: ${printable(reason)}`);
  return lines.join('\n');
}
