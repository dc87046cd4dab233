import type { KindCounts, LedgerTally, RunRecord, SeenCount, Store } from '#store/contract.ts';

/** How a queued run stands. Every item seen is stored, skipped, failed or waiting. */
export interface RunStatus {
  readonly record: RunRecord;
  readonly seen: number;
  readonly stored: number;
  /** Stored before with the same content. */
  readonly skipped: number;
  readonly failed: number;
  readonly waiting: number;
  /** Of pictures and captions apart; null where that is not known. */
  readonly kinds: KindCounts<SeenCount> | null;
  /** Items finished a second, over the last minute. */
  readonly rate: number;
  /** Undefined while nothing is finished, or while the source is still being read. */
  readonly secondsLeft: number | undefined;
}

const WINDOW_SECONDS = 60;

/**
 * A run as the store knows it, with Redis or without. `now` is by the clock of Redis, as all times of a queued run are;
 * undefined where that cannot be asked: then no rate is known.
 */
export async function runStatus(store: Store, record: RunRecord, now: Date | undefined): Promise<RunStatus> {
  if (record.kind === 'direct' || record.state !== 'running') {
    const { seen, stored, skipped, failed, kinds } = record;
    return { record, seen, stored, skipped, failed, kinds, waiting: 0, rate: 0, secondsLeft: undefined };
  }
  const { items: seen, stored, skipped, failed, recent, ...rest } = await store.ledger.tally(record.id, now);
  const kinds = withResults(record, { stored, skipped, kinds: rest.kinds });
  const waiting = seen - stored - skipped - failed;
  const seconds = now ? (now.getTime() - record.startedAt.getTime()) / 1000 : Infinity;
  const rate = now ? recent / Math.min(WINDOW_SECONDS, Math.max(1, seconds)) : 0;
  const secondsLeft = record.submitted && rate > 0 ? waiting / rate : undefined;
  return { record, seen, stored, skipped, failed, kinds, waiting, rate, secondsLeft };
}

/** What was read of a queued run with the results of its chunks; null where some of these are of before they were apart. */
export function withResults(
  { kinds }: RunRecord,
  { stored, skipped, kinds: { images, captions } }: Pick<LedgerTally, 'stored' | 'skipped' | 'kinds'>,
): RunRecord['kinds'] {
  const isWhole = images.stored + captions.stored === stored && images.skipped + captions.skipped === skipped;
  if (!kinds || !isWhole) return null;
  return { images: { ...kinds.images, ...images }, captions: { ...kinds.captions, ...captions } };
}
