import { QUEUE_KINDS, type Queues, queueName } from './bull-queues.ts';
import { JOB_FORMAT } from './job.ts';

/** Jobs in the same Redis that workers of another version would take. */
export interface OtherJobs {
  readonly format: number;
  /** Those that wait, or are worked on. */
  readonly jobs: number;
}

/** So many later formats are looked for. */
const LATER = 8;

/** The jobs of this index that are of another format than this program's, which it never takes. */
export async function otherJobs({ client, prefix }: Queues): Promise<OtherJobs[]> {
  const found: OtherJobs[] = [];
  for (let format = 1; format <= JOB_FORMAT + LATER; format++) {
    if (format === JOB_FORMAT) continue;
    const asking = client.pipeline();
    for (const kind of QUEUE_KINDS) {
      const queue = `${prefix}:${queueName(kind, format)}`;
      asking.llen(`${queue}:wait`).llen(`${queue}:paused`).llen(`${queue}:active`);
      asking.zcard(`${queue}:prioritized`).zcard(`${queue}:delayed`);
    }
    let jobs = 0;
    for (const [error, count] of (await asking.exec()) ?? []) {
      if (error) throw error;
      jobs += Number(count);
    }
    if (jobs > 0) found.push({ format, jobs });
  }
  return found;
}
