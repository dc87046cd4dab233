import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { resolveDevice } from '#devices/device.ts';
import { fingerprint } from '#model/fingerprint.ts';
import type { Model } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import type { Runner } from '#model/runner.ts';
import { shareRuns } from '#model/shared-runs.ts';
import { createResidentScorer, type ResidentScorer } from '#scorer/resident-scorer.ts';
import { openIndex } from '#service/open-index.ts';
import type { ImageRecord, Store } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { openStore } from '#store/lance/open-store.ts';
import { createPools } from '#workers/threads/create-pools.ts';
import { createPoolRunner } from '#workers/threads/pool-runner.ts';
import { randomVectors } from './random-vectors.ts';
import { median } from './report.ts';

export const DEMO = fileURLToPath(new URL('../models/demo', import.meta.url));
export const K = 10;
/** Texts of one run of the encoder, at most. */
const BATCH = 32;
const THREADS = { inferenceWorkers: 'auto', decodeThreads: 1, decodeTimeout: 60, decodeMemory: 512 } as const;
export const POOLS = { ...THREADS, preprocess: 'fast', maxPixels: 1e8, maxImageBytes: 1e8 } as const;

/** One question, as a caller asks it. */
export type Ask = (text: string) => Promise<unknown>;

export interface Measured {
  /** Questions answered in a second. */
  readonly rate: number;
  /** Milliseconds of each. */
  readonly latencies: readonly number[];
}

/**
 * Text searches of an opened index by 1, 8 and 64 callers in one process, against encoder and scorer alone: the same threads,
 * and batches as large as the callers allow, with nothing else done. They take turns; medians of the rounds. Then what sharing
 * runs costs a lone query.
 */
export async function concurrency(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string', default: '100000' },
      callers: { type: 'string', default: '1,8,64' },
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '3' },
    },
  });
  const [rows, seconds, rounds] = [values.rows, values.seconds, values.rounds].map(Number) as [
    number,
    number,
    number,
  ];
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-bench-concurrency-'));
  try {
    const model = await openModel(DEMO);
    const store = await openStore(join(folder, 'index'), { create: true });
    const table = await fill(store, model, rows);
    await using index = await openIndex(join(folder, 'index'), { device: 'cpu' });
    await index.warm();
    await using pools = await createPools(model, POOLS);
    const runner = createPoolRunner(model, pools);
    await using scorer = createResidentScorer(table, {
      device: await resolveDevice('cpu'),
      dimensions: model.dimensions,
    });
    await scorer.nearest(await embed(runner, ['a']), { k: K });
    const search: Ask = (text) => index.search({ text, k: K });
    console.log(
      `${rows} x ${model.dimensions}, ${runner.threads} threads, k = ${K}, ${seconds} s a measurement\n`,
    );
    console.log('callers  searches/s  alone/s  ratio  p50 ms  p95 ms  p99 ms');
    for (const callers of values.callers.split(',').map(Number)) {
      const found: { searches: Measured; alone: number }[] = [];
      for (let round = 0; round < rounds; round++)
        found.push({
          searches: await ask(search, callers, seconds),
          alone: await computeAlone(runner, scorer, callers, seconds),
        });
      print(callers, found);
    }
    await compareLone(runner, scorer);
    await store.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function fill(store: Store, model: Model, count: number) {
  const { dimensions } = model;
  const tables = await store.openGeneration({
    ...{ collection: 'default', preprocess: 'fast', modelName: model.name, modelPath: model.path },
    ...{ fingerprint: await fingerprint(model, 'fast'), dimensions },
  });
  const { stored } = randomVectors(count, dimensions, 1);
  for (let start = 0; start < count; start += 10_000) {
    const length = Math.min(10_000, count - start);
    const rows = Array.from({ length }, (_, i) => row(start + i));
    await tables.images.upsert({
      rows,
      vectors: stored.slice(start * dimensions, (start + length) * dimensions),
    });
  }
  await tables.images.optimize();
  await store.activate(tables.record);
  return tables.images;
}

function row(number: number): ImageRecord {
  const id = String(number);
  return {
    ...{
      key: itemKey('bench', 'image', id),
      source: 'bench',
      id,
      uri: `/bench/${id}.jpg`,
      meta: { n: number },
    },
    ...{
      width: 640,
      height: 480,
      bytes: 1,
      sha256: '0'.repeat(64),
      format: 'jpeg',
      stamp: null,
      described: null,
    },
    ...{ indexedAt: new Date(0), run: 'bench' },
  };
}

const WORDS =
  'red apple dog cat tree green blue ball car house sun moon star fish bird boat train clock'.split(' ');

/** Another text each time. */
export function textOf(number: number): string {
  return [7, 11, 13].map((step) => WORDS[(number * step + Math.floor(number / 18)) % WORDS.length]).join(' ');
}

/** Callers that ask one question after the other, for so long. */
export async function ask(question: Ask, callers: number, seconds: number): Promise<Measured> {
  const latencies: number[] = [];
  const begun = performance.now();
  const end = begun + 1000 * seconds;
  let next = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end) {
        const start = performance.now();
        await question(textOf(next++));
        latencies.push(performance.now() - start);
      }
    }),
  );
  return { rate: (1000 * latencies.length) / (performance.now() - begun), latencies };
}

export function embed(runner: Runner, texts: readonly string[]): Promise<Float32Array> {
  return runner.run({ kind: 'texts', texts });
}

/** Queries a second of encoder and scorer, with a batch under way on each thread. */
export async function computeAlone(
  runner: Runner,
  scorer: ResidentScorer<ImageRecord>,
  callers: number,
  seconds: number,
): Promise<number> {
  const lines = Math.min(callers, runner.threads);
  const size = Math.min(BATCH, Math.ceil(callers / lines));
  let next = 0;
  const batch: Ask = async () => {
    const texts = Array.from({ length: size }, () => textOf(next++));
    await scorer.nearestIds(await embed(runner, texts), { k: K + 1 });
  };
  return size * (await ask(batch, lines, seconds)).rate;
}

function print(
  callers: number,
  rounds: readonly { readonly searches: Measured; readonly alone: number }[],
): void {
  const rate = median(rounds.map(({ searches }) => searches.rate));
  const alone = median(rounds.map((round) => round.alone));
  const sorted = rounds.flatMap(({ searches }) => searches.latencies).sort((a, b) => a - b);
  const at = (part: number): string =>
    (sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN).toFixed(1);
  const numbers = [callers, rate.toFixed(1), alone.toFixed(1), (rate / alone).toFixed(2)];
  const widths = [7, 10, 7, 5, 6, 6, 6];
  console.log(
    [...numbers, at(0.5), at(0.95), at(0.99)]
      .map((value, i) => String(value).padStart(widths[i] ?? 0))
      .join('  '),
  );
}

const LONE_QUERIES = 200;

/** Milliseconds of a lone text, through shared runs and past them, one after the other. */
async function compareLone(runner: Runner, scorer: ResidentScorer<ImageRecord>): Promise<void> {
  const shared = shareRuns(runner);
  const times = { shared: [] as number[], direct: [] as number[] };
  for (let i = 0; i < LONE_QUERIES; i++)
    for (const [name, one] of [
      ['shared', shared],
      ['direct', runner],
    ] as const) {
      const start = performance.now();
      await scorer.nearestIds(await embed(one, [textOf(i)]), { k: K });
      times[name].push(performance.now() - start);
    }
  const [shares, direct] = [median(times.shared), median(times.direct)];
  console.log(
    `\nA lone query: ${shares.toFixed(2)} ms through shared runs, ${direct.toFixed(2)} ms past them, ratio ${(shares / direct).toFixed(3)}`,
  );
}
