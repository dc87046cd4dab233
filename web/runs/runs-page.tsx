import { useEffect, useState } from 'preact/hooks';
import type { Collection } from '../api.ts';
import { ErrorNote } from '../search/error-note.tsx';
import { indexSource, isActive, type Job, listJobs, upload } from './jobs-api.ts';
import { RunRow } from './run-row.tsx';

interface Props {
  readonly collection: string;
  readonly collections: readonly Collection[];
}

/** What was indexed and what is being indexed; pictures are handed in here. */
export function RunsPage({ collection, collections }: Props) {
  const [jobs, setJobs] = useState<readonly Job[]>();
  const [error, setError] = useState<Error>();
  const [isSending, setSending] = useState(false);
  const [source, setSource] = useState('');
  const refresh = () => {
    listJobs().then(setJobs, setError);
  };
  useEffect(refresh, []);
  const begin = (job: Promise<Job>) => {
    setError(undefined);
    setSending(true);
    job
      .then(() => setSource(''), setError)
      .finally(() => {
        setSending(false);
        refresh();
      });
  };
  const retry = () => {
    setError(undefined);
    refresh();
  };
  const into =
    collections.find(({ name }) => name === collection)?.name ?? collections[0]?.name ?? collection;
  const active = jobs?.filter(isActive).length ?? 0;
  return (
    <main class="runs">
      <h2>Runs</h2>
      <div class="hand-in">
        <label class="button choose">
          Add pictures or a table
          <input
            type="file"
            multiple
            accept="image/*,.csv,.tsv,.jsonl,.ndjson,.json,.parquet"
            onChange={({ currentTarget }) => {
              const files = [...(currentTarget.files ?? [])];
              if (files.length > 0) begin(upload(files, into));
              currentTarget.value = '';
            }}
          />
        </label>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (source.trim() !== '') begin(indexSource(source.trim(), into));
          }}
        >
          <input
            class="field"
            aria-label="Folder or table on the server"
            placeholder="Folder or table on the server"
            value={source}
            onInput={({ currentTarget }) => setSource(currentTarget.value)}
          />
          <button type="submit">Index it</button>
        </form>
      </div>
      <p class="status" role="status">
        {statusOf(isSending, active, jobs)}
      </p>
      {error && <ErrorNote error={error} retry={retry} />}
      <ul class="run-list" aria-label="Runs">
        {jobs?.map((job) => (
          <RunRow key={job.run} {...{ job, refresh, onError: setError }} />
        ))}
      </ul>
    </main>
  );
}

function statusOf(isSending: boolean, active: number, jobs: readonly Job[] | undefined): string {
  if (isSending) return 'Sending …';
  if (!jobs) return 'Loading …';
  if (jobs.length === 0) return 'Nothing was indexed yet';
  return active > 0
    ? `${active} at work or waiting`
    : `${jobs.length} ${jobs.length === 1 ? 'run' : 'runs'}, none at work`;
}
