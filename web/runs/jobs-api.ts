import { ask, askJson } from '../api.ts';

export interface Job {
  readonly run: string;
  readonly state: 'waiting' | 'running' | 'complete' | 'interrupted' | 'failed' | 'cancelled';
  readonly source: string;
  readonly collection: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly seen: number;
  readonly stored: number;
  readonly skipped: number;
  readonly failed: number;
  /** Items a second. */
  readonly rate: number;
  /** 0 to 1. */
  readonly fraction: number | null;
  readonly secondsLeft: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface Failure {
  readonly key: string;
  readonly id: string;
  readonly code: string;
  readonly message: string;
  readonly retriable: boolean;
}

export function isActive({ state }: Job): boolean {
  return state === 'running' || state === 'waiting';
}

export async function listJobs(): Promise<readonly Job[]> {
  return (await askJson<{ jobs: Job[] }>('v1/jobs')).jobs;
}

export function listFailures(
  run: string,
  after?: string,
): Promise<{ failures: Failure[]; next: string | null }> {
  const query = new URLSearchParams(after === undefined ? {} : { after });
  return askJson(`v1/jobs/${encodeURIComponent(run)}/failures?${query}`);
}

export function changeJob(run: string, what: 'retry' | 'cancel'): Promise<Job> {
  return askJson(`v1/jobs/${encodeURIComponent(run)}/${what}`, {});
}

const TABLE = /\.(csv|tsv|jsonl|ndjson|json|parquet)$/i;

/** Sends pictures, each under the name of its file, or a table of items. */
export async function upload(files: readonly File[], collection: string): Promise<Job> {
  const form = new FormData();
  const [first] = files;
  const isTable = files.length === 1 && first !== undefined && TABLE.test(first.name);
  const items = files.map(({ name }) => ({ kind: 'image', id: name, image: { file: name } }));
  form.set('request', JSON.stringify({ collection, ...(isTable ? { manifest: first.name } : { items }) }));
  for (const file of files) form.append('files', file, file.name);
  return (await ask('v1/jobs', { method: 'POST', body: form })).json() as Promise<Job>;
}

/** Lets the server read a folder or a table of its own. */
export function indexSource(source: string, collection: string): Promise<Job> {
  return askJson('v1/jobs', { source, collection });
}
