import { useEffect, useState } from 'preact/hooks';
import { addressOf } from '../api.ts';
import { changeJob, type Failure, isActive, type Job, listFailures } from './jobs-api.ts';

interface Props {
  readonly job: Job;
  readonly refresh: () => void;
  readonly onError: (error: Error) => void;
}

/** A run: how far it is while it runs, what became of it, and what it could not store. */
export function RunRow({ job: listed, refresh, onError }: Props) {
  const job = useLive(listed, refresh);
  const [failures, setFailures] = useState<readonly Failure[]>([]);
  const act = (what: 'retry' | 'cancel') => {
    changeJob(job.run, what).then(refresh, onError);
  };
  const show = (isOpen: boolean) => {
    if (isOpen) listFailures(job.run).then((found) => setFailures(found.failures), onError);
  };
  const name = shortName(job.source);
  return (
    <li class="run">
      <div class="run-head">
        <h3>{name}</h3>
        <span class={`state ${job.state}`}>{job.state}</span>
        {isActive(job) && (
          <button type="button" aria-label={`Cancel ${name}`} onClick={() => act('cancel')}>
            Cancel
          </button>
        )}
      </div>
      {isActive(job) && (
        <progress
          aria-label={`Progress of ${name}`}
          max={1}
          {...(job.fraction === null ? {} : { value: job.fraction })}
        />
      )}
      <p class="counts">{countsOf(job)}</p>
      {job.error && <p class="reason">{job.error.message}</p>}
      {job.failed > 0 && (
        <details onToggle={({ currentTarget }) => show(currentTarget.open)}>
          <summary>{job.failed} could not be stored</summary>
          <ul class="failures">
            {failures.map(({ key, id, message, retriable }) => (
              <li key={key}>
                <b>{id}</b> {message}
                {retriable ? ' (may succeed later)' : ''}
              </li>
            ))}
          </ul>
          {failures.length < job.failed && failures.length > 0 && (
            <p>The first {failures.length}; a later run may have stored some of the others.</p>
          )}
          {!isActive(job) && (
            <button type="button" onClick={() => act('retry')}>
              Try these again
            </button>
          )}
        </details>
      )}
    </li>
  );
}

/** What the server tells of a run while it runs. */
function useLive(listed: Job, refresh: () => void): Job {
  const [live, setLive] = useState(listed);
  const isOn = isActive(listed);
  useEffect(() => {
    setLive(listed);
    if (!isOn) return undefined;
    const events = new EventSource(addressOf(`v1/jobs/${encodeURIComponent(listed.run)}/events`));
    events.addEventListener('progress', ({ data }) => setLive(JSON.parse(data) as Job));
    events.addEventListener('end', ({ data }) => {
      setLive(JSON.parse(data) as Job);
      events.close();
      refresh();
    });
    return () => events.close();
  }, [listed.run, listed.state]);
  return isOn ? live : listed;
}

function countsOf({ state, startedAt, stored, skipped, failed, rate, secondsLeft }: Job): string {
  return [
    startedAt === null ? '' : new Date(startedAt).toLocaleString(),
    `${stored.toLocaleString('en')} stored`,
    skipped > 0 ? `${skipped.toLocaleString('en')} there already` : '',
    failed > 0 ? `${failed.toLocaleString('en')} failed` : '',
    rate > 0 ? `${rate.toFixed(rate < 10 ? 1 : 0)} a second` : '',
    state === 'running' && secondsLeft !== null ? `${duration(secondsLeft)} left` : '',
  ]
    .filter((one) => one !== '')
    .join(' · ');
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** The end of a long place, which tells it from others. */
function shortName(source: string): string {
  const plain = source.replace(/^file:\/\//, '').replace(/^uploads of .*/, 'Uploaded pictures');
  return plain.length > 60 ? `… ${plain.slice(-58)}` : plain;
}
