import { randomUUID } from 'node:crypto';
import { describeProcess } from '#host-process.ts';
import type { GenerationRecord, RunRecord, Store } from '#store/contract.ts';

export interface RunRequest {
  /** A UUID; left out, a new one. */
  readonly id?: string | undefined;
  readonly kind: RunRecord['kind'];
  /** Name of the source. */
  readonly source: string;
  /** Where it lies. */
  readonly place: string;
  readonly generation: GenerationRecord;
  /** What was asked beside the source. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Begins a run of this process: its record is written, with its number and an owner. */
export function beginRun(store: Store, request: RunRequest, startedAt = new Date()): Promise<RunRecord> {
  const { id = randomUUID(), kind, source, place, generation, options } = request;
  return store.runs.begin({
    ...{ id, kind, source, place, options: JSON.stringify(options) },
    ...{ collection: generation.collection, generation: generation.name },
    ...{
      state: 'running',
      submitted: kind === 'direct',
      seen: 0,
      stored: 0,
      skipped: 0,
      failed: 0,
      kinds: null,
    },
    ...{ startedAt, endedAt: null, number: null, owner: describeProcess(), lease: 0, truncated: null },
  });
}
