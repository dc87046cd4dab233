import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Device, type DeviceName, resolveDevice } from '#devices/device.ts';
import { ResidentVectors } from '#scorer/resident-vectors.ts';
import { score } from '#scorer/score.ts';
import { anyOf } from '#store/filter.ts';
import { randomBaseModel } from '../random-model.ts';
import { median } from '../report.ts';
import { modelSpeed } from './model-speed.ts';
import { randomUnit, seededTable } from './seeded-table.ts';

const K = 10;
const COUNTS = [1, 16, 64];
const [WARM, ROUNDS, PATIENCE_MS] = [10, 50, 8000];

export interface SpeedOptions {
  readonly device: string;
  readonly rows: string;
  readonly dimensions: string;
  readonly model: string;
  readonly batches: string;
  /** Of the model. */
  readonly precision: 'auto' | 'f32' | 'f16';
}

/** A device against PyTorch on the same card: exact search over a corpus that stays on it; and the model. */
export async function speed(values: SpeedOptions): Promise<void> {
  const devices: Device[] = [];
  for (const name of values.device.split(',')) devices.push(await resolveDevice(name as DeviceName));
  for (const { provider, reason } of devices) console.log(`device ${provider}: ${reason}`);
  const dimensions = Number(values.dimensions);
  for (const rows of numbers(values.rows)) await scoring(devices, rows, dimensions);
  if (values.model === 'none') return;
  const model = values.model === 'base' ? await randomBaseModel() : values.model;
  const batches = numbers(values.batches);
  const how = { model, batches, precision: values.precision, seconds: 2, pairs: true };
  for (const each of devices) await modelSpeed(each, how);
}

async function scoring(devices: readonly Device[], rows: number, dimensions: number): Promise<void> {
  const gigabytes = (2 * rows * dimensions) / 1e9;
  console.log(
    `\n${rows.toLocaleString('en-US')} x ${dimensions} float16, ${gigabytes.toFixed(2)} GB, k = ${K}`,
  );
  const torch = pytorch(rows, dimensions);
  for (const device of devices) {
    const options = { device, dimensions };
    const started = performance.now();
    await using corpus = new ResidentVectors(seededTable(rows, dimensions), options);
    const all = await corpus.all();
    const seconds = (performance.now() - started) / 1000;
    const rate = (gigabytes / seconds).toFixed(2);
    console.log(
      `  ${device.provider}: loaded in ${seconds.toFixed(1)} s, ${rate} GB/s, ${all.parts.length} segments`,
    );
    const tenth = await corpus.matching(anyOf('id', ['every tenth']));
    for (const count of COUNTS) {
      const queries = randomUnit(count, dimensions, 7);
      const whole = await time(() => score(all, corpus.tail, queries, dimensions, K));
      const filtered = await time(() => score(tenth, corpus.tail, queries, dimensions, K));
      const beside = torch?.[count];
      console.log(
        [
          `    ${String(count).padStart(2)} queries: ${whole.toFixed(2)} ms`,
          `${((1000 * count) / whole).toFixed(0)} queries/s`,
          `a tenth of the rows ${filtered.toFixed(2)} ms (${(filtered / whole).toFixed(2)} x)`,
          ...(beside === undefined
            ? []
            : [`PyTorch ${beside.toFixed(2)} ms (${(whole / beside).toFixed(2)} x)`]),
        ].join(', '),
      );
    }
  }
}

/** Milliseconds by number of queries; undefined where python3 has no PyTorch with CUDA. */
function pytorch(rows: number, dimensions: number): Record<number, number> | undefined {
  const script = fileURLToPath(new URL('pytorch.py', import.meta.url));
  const args = [script, rows, dimensions, K, ...COUNTS].map(String);
  const { status, stdout, stderr } = spawnSync('python3', args, { encoding: 'utf8' });
  if (status !== 0) {
    console.log(`  no PyTorch beside it: ${stderr?.trimEnd().split('\n').at(-1)}`);
    return undefined;
  }
  const { card, torch, times } = JSON.parse(stdout) as {
    card: string;
    torch: string;
    times: Record<number, number>;
  };
  console.log(`  PyTorch ${torch} on ${card}: ${JSON.stringify(times)} ms`);
  return times;
}

/** The middle of 50 runs after 10 warm ones, ms; fewer where they take long. */
async function time(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const until = performance.now() + PATIENCE_MS;
  for (let round = 0; round < WARM + ROUNDS && (round < 3 || performance.now() < until); round++) {
    const started = performance.now();
    await run();
    times.push(performance.now() - started);
  }
  return median(times.slice(Math.min(WARM, Math.floor(times.length / 3))));
}

function numbers(text: string): number[] {
  return text
    .split(',')
    .map(Number)
    .filter((value) => value > 0);
}
