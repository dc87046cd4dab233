import { writeFileSync } from 'node:fs';
import { type Device, type DeviceName, resolveDevice } from '#devices/device.ts';
import { errorMessage } from '#errors.ts';
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import type { Found } from '#scorer/score.ts';
import { anyOf } from '#store/filter.ts';
import { allProducts, best } from './brute-force.ts';
import { PARTS, type Scene } from './check-parts.ts';
import type { MemoryTable } from './memory-table.ts';

export interface CheckOptions {
  readonly devices: readonly string[];
  /** Names of parts; all where there are none. */
  readonly parts: readonly string[];
  /** A JSON file that is written after each part. */
  readonly out: string | undefined;
}

interface Outcome {
  readonly part: string;
  readonly device: string;
  /** Queries whose ids, order and scores were compared. */
  readonly compared: number;
  readonly wrong: number;
  readonly seconds: number;
  /** The first thing that was wrong. */
  readonly first?: string;
}

/**
 * Conformance of the scorer: ids, order and scores equal to a brute force in float64, on every device that is asked for.
 * A part or a device that fails is said at once, and the others go on.
 */
export async function check({ devices: names, parts, out }: CheckOptions): Promise<void> {
  const devices: Device[] = [];
  for (const name of names)
    await resolveDevice(name as DeviceName).then(
      (device) => devices.push(device),
      (error: unknown) => {
        console.log(`${name}: ${errorMessage(error)}`);
        process.exitCode = 1;
      },
    );
  for (const { provider, reason } of devices) console.log(`${provider}: ${reason}`);
  const outcomes: Outcome[] = [];
  console.log('\npart      device  compared  wrong  seconds');
  for (const [part, scenes] of Object.entries(PARTS)) {
    if (parts.length > 0 && !parts.includes(part)) continue;
    for (const outcome of await runPart(part, scenes(), devices)) {
      const { device, compared, wrong, seconds, first } = outcome;
      const numbers = [
        String(compared).padStart(8),
        String(wrong).padStart(5),
        seconds.toFixed(1).padStart(7),
      ];
      console.log([part.padEnd(8), device.padEnd(6), ...numbers].join('  '));
      if (first !== undefined) console.log(`  ${first}`);
      if (wrong > 0) process.exitCode = 1;
      outcomes.push(outcome);
    }
    if (out !== undefined) writeFileSync(out, JSON.stringify({ outcomes }, null, 2));
  }
}

async function runPart(
  part: string,
  scenes: Iterable<Scene>,
  devices: readonly Device[],
): Promise<Outcome[]> {
  const outcomes = devices.map(({ provider }) => ({
    part,
    device: provider,
    compared: 0,
    wrong: 0,
    seconds: 0,
  }));
  for (const scene of scenes) await runScene(scene, devices, outcomes);
  return outcomes;
}

type Growing = { -readonly [Key in keyof Outcome]: Outcome[Key] };

/** The steps of a scene on all devices, each held against the same brute force. */
async function runScene(
  scene: Scene,
  devices: readonly Device[],
  outcomes: readonly Growing[],
): Promise<void> {
  const { name, table, options = {} } = scene;
  const scorers = devices.map((device) =>
    createResidentScorer(table, {
      device,
      dimensions: table.dimensions,
      ...options,
    }),
  );
  try {
    for (const { queries, ks, filter } of scene.steps()) {
      table.filter = filter ?? (() => true);
      const expected = referenceOf(table, queries, ks, filter !== undefined);
      for (const [i, scorer] of scorers.entries()) {
        const outcome = outcomes[i] as Growing;
        const started = performance.now();
        try {
          for (const [n, { k, count, answers }] of expected.entries()) {
            const asked = queries.subarray(0, count * table.dimensions);
            // A filter of a name of its own each time: the table has it by heart.
            const where = filter && anyOf('id', [`filter ${n}`]);
            const found = await scorer.nearestIds(asked, { k, ...(where === undefined ? {} : { where }) });
            outcome.compared += count;
            compare(outcome, `${name}, ${count} queries, k ${k}`, found, answers);
          }
        } catch (error) {
          outcome.wrong += 1;
          outcome.first ??= `${name}: ${errorMessage(error)}`;
        }
        outcome.seconds += (performance.now() - started) / 1000;
      }
    }
  } finally {
    for (const scorer of scorers) await scorer[Symbol.asyncDispose]();
  }
}

interface Expected {
  readonly k: number;
  readonly count: number;
  readonly answers: readonly (readonly Found[])[];
}

function referenceOf(
  table: MemoryTable,
  queries: Float32Array,
  ks: readonly (readonly [count: number, k: number])[],
  isFiltered: boolean,
): Expected[] {
  const rows = table.rows(isFiltered);
  const products = allProducts(table, rows, queries);
  return ks.map(([count, k]) => ({
    ...{ k, count },
    answers: products.slice(0, count).map((mine) => best(table, rows, mine, k)),
  }));
}

function compare(
  outcome: Growing,
  what: string,
  found: readonly (readonly Found[])[],
  expected: readonly (readonly Found[])[],
): void {
  expected.forEach((right, q) => {
    const mine = found[q] ?? [];
    const at = right.findIndex(({ id, score }, i) => mine[i]?.id !== id || isOther(mine[i].score, score));
    if (at < 0 && mine.length === right.length) return;
    outcome.wrong += 1;
    const place = at < 0 ? right.length : at;
    outcome.first ??= `${what}: query ${q}, hit ${place}: expected ${JSON.stringify(right[place])}, received ${JSON.stringify(mine[place])}`;
  });
}

/** A device may sum up in another order, also in float64. */
function isOther(score: number, expected: number): boolean {
  return !(Math.abs(score - expected) <= 1e-12 * Math.max(1, Math.abs(expected)));
}
