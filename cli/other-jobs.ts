import { JOB_FORMAT } from '#queue/job.ts';
import type { OtherJobs } from '#queue/other-formats.ts';
import { counted } from './output.ts';

/** A line for the jobs of each other format, which wait for workers of another version. */
export function describeOtherJobs(others: readonly OtherJobs[]): string[] {
  return others.map(({ format, jobs }) => {
    const version = format < JOB_FORMAT ? 'an older' : 'a newer';
    return `${counted(jobs, 'job')} of job format ${format} beside them, for workers of ${version} version; this one takes format ${JOB_FORMAT}.`;
  });
}
