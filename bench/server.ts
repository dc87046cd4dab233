import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Pool } from 'undici';
import { resolveDevice } from '#devices/device.ts';
import { openModel } from '#model/open-model.ts';
import { createResidentScorer } from '#scorer/resident-scorer.ts';
import { openStore } from '#store/lance/open-store.ts';
import { createPools } from '#workers/threads/create-pools.ts';
import { createPoolRunner } from '#workers/threads/pool-runner.ts';
import { ask, computeAlone, DEMO, embed, fill, K, type Measured, POOLS } from './concurrency.ts';

const BIN = fileURLToPath(new URL('../bin/vlmo.js', import.meta.url));

/**
 * Text searches over HTTP by 1, 8 and 64 clients, the server in a process of its own and the load in this one, against
 * encoder and scorer alone with the same threads and batches as large as the clients allow. Both share the machine: what
 * the load costs counts against the server.
 */
export async function serverBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: 'string', default: '100000' },
      clients: { type: 'string', default: '1,8,64' },
      seconds: { type: 'string', default: '5' },
    },
  });
  const [rows, seconds] = [Number(values.rows), Number(values.seconds)];
  const clients = values.clients.split(',').map(Number);
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-bench-server-'));
  const index = join(folder, 'index');
  try {
    const alone = await measureAlone(index, rows, clients, seconds);
    const child = spawn(
      process.execPath,
      [BIN, 'serve', '--index', index, '--port', '0', '--json', '--device', 'cpu', '--log-level', 'error'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const { url } = JSON.parse(line.toString()) as { url: string };
      await ready(url);
      console.log(`${rows} rows, k = ${K}, ${seconds} s a measurement\n`);
      console.log('clients  requests/s  alone/s  ratio  p50 ms  p95 ms  p99 ms  p99/p50');
      for (const count of clients) print(count, await load(url, count, seconds), alone.get(count) ?? 0);
      await measureEmpty(url);
    } finally {
      child.kill('SIGTERM');
      await once(child, 'close');
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureAlone(
  place: string,
  rows: number,
  clients: readonly number[],
  seconds: number,
): Promise<ReadonlyMap<number, number>> {
  const model = await openModel(DEMO);
  await using store = await openStore(place, { create: true });
  const table = await fill(store, model, rows);
  await using pools = await createPools(model, POOLS);
  const runner = createPoolRunner(model, pools);
  const { dimensions } = model;
  await using scorer = createResidentScorer(table, { device: await resolveDevice('cpu'), dimensions });
  await scorer.nearest(await embed(runner, ['a']), { k: K });
  const found = new Map<number, number>();
  for (const count of clients) found.set(count, await computeAlone(runner, scorer, count, seconds));
  return found;
}

async function ready(url: string): Promise<void> {
  while ((await fetch(`${url}/ready`)).status !== 200)
    await new Promise((resolve) => setTimeout(resolve, 100));
}

async function load(url: string, clients: number, seconds: number): Promise<Measured> {
  const pool = new Pool(url, { connections: clients });
  const search = async (text: string): Promise<void> => {
    const { statusCode, body } = await pool.request({
      ...{ path: '/v1/search', method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ text, k: K }),
    });
    await body.dump();
    if (statusCode !== 200) throw new Error(`A search was answered with ${statusCode}`);
  };
  try {
    await ask(search, clients, 1);
    return await ask(search, clients, seconds);
  } finally {
    await pool.close();
  }
}

function print(clients: number, { rate, latencies }: Measured, alone: number): void {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN;
  const cells = [clients, rate.toFixed(1), alone.toFixed(1), (rate / alone).toFixed(2)];
  const times = [0.5, 0.95, 0.99].map((part) => at(part).toFixed(1));
  const widths = [7, 10, 7, 5, 6, 6, 6, 7];
  console.log(
    [...cells, ...times, (at(0.99) / at(0.5)).toFixed(1)]
      .map((value, i) => String(value).padStart(widths[i] ?? 0))
      .join('  '),
  );
}

const LONE = 300;

/** What HTTP, guards and logs cost by themselves: a request that computes nothing. */
async function measureEmpty(url: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < LONE; i++) {
    const start = performance.now();
    await (await fetch(`${url}/health`)).text();
    times.push(performance.now() - start);
  }
  console.log(`\nA request that computes nothing: ${times.sort((a, b) => a - b)[LONE / 2]?.toFixed(2)} ms`);
}
