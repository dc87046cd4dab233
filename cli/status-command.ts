import { setTimeout } from 'node:timers/promises';
import type { CommandConfig } from '#config/commands.ts';
import { errorMessage } from '#errors.ts';
import { openQueues, type Queues } from '#queue/bull-queues.ts';
import { redisTime } from '#queue/redis-time.ts';
import { type QueueStatus, queueStatus } from '#queue/status.ts';
import { completeRun } from '#runs/complete.ts';
import { runStatus as statusOfRun } from '#runs/status.ts';
import type { RunRecord, Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { followRun, runNotFound } from './follow-run.ts';
import { openRedis } from './open-queue.ts';
import { describeOtherJobs } from './other-jobs.ts';
import { counted, formatCount, note, print, printable, printJson } from './output.ts';
import { Owned } from './owned.ts';
import { standingJson, standingLine } from './run-report.ts';
import { stopOnSignals } from './signals.ts';

const WATCH_MS = 2000;

type StatusConfig = CommandConfig<'status'>;

/** `vlmo status`: how the runs of an index stand. */
export async function runStatus(flags: StatusConfig, [run]: readonly [string | undefined]): Promise<void> {
  await using store = await openStore(flags.index, { create: false });
  await using stack = new Owned();
  const queues = await openQueuesIfThere(store, flags, stack);
  using signals = stopOnSignals();
  process.exitCode = EXIT_DONE;
  if (run !== undefined && flags.watch && queues)
    return await followRun(store, queues, run, signals.signal, flags);
  for (;;) {
    const isOver = await show(store, queues, run, flags);
    if (!flags.watch || isOver || signals.signal.aborted) return;
    await setTimeout(WATCH_MS, undefined, { signal: signals.signal }).catch(() => undefined);
  }
}

/** The store knows how far a run is without Redis; only what waits where, and who works, is in Redis alone. */
async function openQueuesIfThere(
  store: Store,
  flags: StatusConfig,
  stack: Owned,
): Promise<Queues | undefined> {
  try {
    const { client } = stack.use(await openRedis(store, flags));
    const queues = openQueues(client, store.id);
    stack.defer(() => queues.close());
    return queues;
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
  store: Store,
  queues: Queues | undefined,
  id: string | undefined,
  { json }: StatusConfig,
): Promise<boolean> {
  const queue = queues && (await queueStatus(queues));
  const now = queues && new Date(await redisTime(queues.client));
  const records: RunRecord[] = [];
  if (id === undefined) {
    for await (const record of store.runs.scan({ kind: 'queued' })) records.push(record);
  } else {
    const record = await store.runs.find(id);
    if (!record) throw runNotFound(id);
    records.push(record);
  }
  records.sort((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  let isOver = true;
  for (const found of records) {
    const record = (await completeRun(store, found.id)) ?? found;
    const standing = { run: await statusOfRun(store, record, now), queue };
    if (record.state === 'running') isOver = false;
    if (json) printJson(standingJson(standing));
    else print(`${record.id}  ${printable(record.source)}\n  ${standingLine(standing)}`);
  }
  if (!json && records.length === 0) print('Nothing was submitted to this index.');
  if (!json && queue) print(describeQueue(queue));
  return isOver;
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
