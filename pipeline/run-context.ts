import type { ErrorData } from '#errors.ts';
import type { CaptionItem, Item } from '#sources/item.ts';
import type { Count } from './progress.ts';

/** On whose behalf items are worked on, a run or one chunk of it, and where what becomes of them is counted. */
export interface RunContext {
  /** Id of the run. */
  readonly run: string;
  /** Its number; null for a job that belongs to no run. */
  readonly runNumber: number | null;
  /** Try again what is listed as failed. */
  readonly retryFailed: boolean;
  /** Read files too that have not changed since they were read last. */
  readonly verify?: boolean | undefined;
  /** Ends downloads: what is not here by then is left to another run. */
  readonly signal?: AbortSignal | undefined;
  /** Called when it is true in the store: after the commit of what was written. */
  add(count: Count, kind: Item['kind'], items?: number): void;
  /** Called with each item that fails now, and how often it has been tried, before it is listed. */
  onFailure?(item: Item, error: ErrorData, attempts: number): void;
  /** Called with each caption of which the model read the beginning only. */
  onTruncated?(item: CaptionItem): void;
}
