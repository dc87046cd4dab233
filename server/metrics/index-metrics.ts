import { Gauge } from 'prom-client';
import type { JobRunner } from '../jobs/job-runner.ts';
import type { ServerParts } from '../parts.ts';

/** Runs and failures are counted by reading them: not with every scrape. */
const KEPT_MS = 30_000;

interface Count {
  readonly status: string;
  readonly code: string;
  readonly items: number;
}

/** What the index tells of its runs, and the jobs that wait in this process. */
export function addIndexMetrics({ index, metrics: { registry } }: ServerParts, jobs: JobRunner): void {
  const registers = [registry];
  new Gauge({
    name: 'vlmo_queue_depth',
    help: 'Jobs that wait in this process',
    registers,
    collect() {
      this.set(jobs.all().filter(({ state }) => state === 'waiting').length);
    },
  });
  let known: { readonly at: number; readonly counts: readonly Count[] } | undefined;
  new Gauge({
    name: 'vlmo_items_total',
    help: 'Items of all runs by what became of them; failures that are listed by their codes',
    labelNames: ['status', 'code'],
    registers,
    async collect() {
      if (!known || performance.now() - known.at > KEPT_MS)
        known = { at: performance.now(), counts: await countItems(index) };
      this.reset();
      for (const { status, code, items } of known.counts) this.set({ status, code }, items);
    },
  });
}

async function countItems(index: ServerParts['index']): Promise<Count[]> {
  const [stored, skipped] = [
    { status: 'stored', code: '', items: 0 },
    { status: 'skipped', code: '', items: 0 },
  ];
  for (const run of await index.runs()) {
    stored.items += run.stored;
    skipped.items += run.skipped;
  }
  const failed = new Map<string, number>();
  for await (const { code } of index.failures()) failed.set(code, (failed.get(code) ?? 0) + 1);
  const codes = [...failed].map(([code, items]) => ({ status: 'failed', code, items }));
  return [stored, skipped, ...codes];
}
