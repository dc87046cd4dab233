import type { QueueStatus } from '#queue/status.ts';
import type { RunStatus } from '#runs/status.ts';
import { inKinds, kindsJson } from './kinds-report.ts';
import { counted, formatCount, formatDuration } from './output.ts';
import { truncatedJson } from './truncated-report.ts';

/** How a run stands, and the queue it waits in; undefined where Redis cannot be asked. */
export interface Standing {
  readonly run: RunStatus;
  readonly queue: QueueStatus | undefined;
}

/** One object a run. */
export function standingJson({ run, queue }: Standing): object {
  const { record, seen, stored, skipped, failed, waiting, rate, secondsLeft } = run;
  const { id, kind, source, collection, generation, state, submitted, startedAt, endedAt } = record;
  return {
    ...{ run: id, kind, state, source, collection, generation, submitted },
    ...kindsJson(run.kinds),
    ...{ seen, stored, skipped, failed, waiting, rate: Math.round(rate * 10) / 10 },
    ...(record.truncated ? truncatedJson(record.truncated) : { truncated: null }),
    seconds_left: secondsLeft === undefined ? null : Math.ceil(secondsLeft),
    workers: queue?.workers ?? null,
    redis: queue?.server ?? 'unreachable',
    failed_jobs: queue?.failed ?? null,
    started_at: startedAt.toISOString(),
    ended_at: endedAt?.toISOString() ?? null,
  };
}

/** `complete: 1,000 seen, 990 stored, 0 stored before, 10 failed`. */
export function standingLine({ run, queue }: Standing): string {
  const { record, seen, stored, skipped, failed, waiting, rate, secondsLeft } = run;
  const apart = (count: 'seen' | 'stored', items: number): string =>
    run.kinds && items > 0 ? ` (${inKinds(run.kinds, count, { isAll: count === 'seen', items })})` : '';
  const counts = `${formatCount(seen)} seen${apart('seen', seen)}, ${formatCount(stored)} stored${apart('stored', stored)}, ${formatCount(skipped)} stored before, ${formatCount(failed)} failed`;
  if (record.state !== 'running') return `${record.state}: ${counts}`;
  const speed = `${rate >= 10 ? formatCount(Math.round(rate)) : rate.toFixed(1)} a second`;
  const left = secondsLeft === undefined ? '' : `, ${formatDuration(secondsLeft)} left`;
  const reading = record.submitted ? '' : ', still being submitted';
  const workers = queue === undefined ? '' : `, ${counted(queue.workers, 'worker')}`;
  return `running: ${counts}, ${formatCount(waiting)} waiting, ${speed}${left}${workers}${reading}`;
}
