import { performance } from 'node:perf_hooks';
import type { ApproximateRows, CaptionRecord, ImageRecord, NearestRows, Neighbour } from '#store/contract.ts';

/** Milliseconds of a search. */
export interface Latency {
  readonly median: number;
  /** 95 of 100 searches take no longer. */
  readonly p95: number;
}

export interface RecallOfSetting {
  /** Partitions looked into. */
  readonly probes: number;
  /** Part of the k best rows that was found, the mean of all queries. */
  readonly recall: number;
  /** With a confidence of 95 % the recall of all such queries is at least this: Wilson's bound. */
  readonly atLeast: number;
  readonly latency: Latency;
}

export interface RecallReport {
  readonly k: number;
  readonly queries: number;
  readonly exact: Latency;
  readonly settings: readonly RecallOfSetting[];
}

type Row = ImageRecord | CaptionRecord;

export interface RecallTask {
  readonly table: NearestRows<Row> & Pick<ApproximateRows<Row>, 'nearestApproximate'>;
  /** Each [D], of unit length. */
  readonly queries: readonly Float32Array[];
  readonly k: number;
  readonly probes: readonly number[];
  readonly onProgress?: (done: number) => void;
}

/**
 * Searches for each query exactly, and by the approximate index with each number of probes: what is found of the k best,
 * and how long it takes. They take turns, so that whatever else the machine does slows all of them.
 */
export async function measureRecall(task: RecallTask): Promise<RecallReport> {
  const { table, queries, k, probes, onProgress } = task;
  const exactTimes: number[] = [];
  const runs = probes.map((count) => ({ probes: count, times: [] as number[], recalls: [] as number[] }));
  await warmUp(task);
  for (const [i, query] of queries.entries()) {
    const best = await timed(exactTimes, () => table.nearest(query, { k }));
    for (const { probes: count, times, recalls } of runs) {
      const found = await timed(times, () => table.nearestApproximate(query, { k, probes: count }));
      recalls.push(recallOf(found, best));
    }
    onProgress?.(i + 1);
  }
  return {
    k,
    queries: queries.length,
    exact: latencyOf(exactTimes),
    settings: runs.map(({ probes: count, times, recalls }) => {
      const recall = recalls.reduce((sum, value) => sum + value, 0) / recalls.length;
      return {
        probes: count,
        recall,
        atLeast: wilsonBound(recall, recalls.length),
        latency: latencyOf(times),
      };
    }),
  };
}

/** The first searches read files that the later ones find in memory. */
async function warmUp({ table, queries, k, probes }: RecallTask): Promise<void> {
  const all = Math.max(...probes);
  for (const query of queries.slice(0, 3)) {
    await table.nearest(query, { k });
    await table.nearestApproximate(query, { k, probes: all });
  }
}

async function timed<T>(times: number[], search: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const found = await search();
  times.push(performance.now() - start);
  return found;
}

/** A row as near as the k-th best is as good as that one: of rows with equal scores any will do. */
function recallOf(found: readonly Neighbour<unknown>[], best: readonly Neighbour<unknown>[]): number {
  const last = best.at(-1);
  if (!last) return 1;
  return found.filter(({ score }) => score >= last.score).length / best.length;
}

/**
 * Each query counts as one trial, though its k hits are k: recalls vary no more than trials that succeed or fail with
 * the same mean, so the bound holds.
 */
function wilsonBound(mean: number, count: number): number {
  const z = 1.645;
  const middle = mean + z ** 2 / (2 * count);
  const spread = z * Math.sqrt((mean * (1 - mean)) / count + z ** 2 / (4 * count ** 2));
  return Math.max(0, (middle - spread) / (1 + z ** 2 / count));
}

function latencyOf(times: readonly number[]): Latency {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN;
  return { median: at(0.5), p95: at(0.95) };
}
