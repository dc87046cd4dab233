import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { openModel } from '#model/open-model.ts';
import { pictureBatchSize } from '#pipeline/batch-size.ts';
import { openQueues } from '#queue/bull-queues.ts';
import { createConsumer } from '#queue/consumer.ts';
import { createQueryClient } from '#queue/query-client.ts';
import { queueStatus } from '#queue/status.ts';
import { openSource } from '#sources/open-source.ts';
import { openStore } from '#store/lance/open-store.ts';
import { makeJpegs } from './pictures.ts';
import { randomBaseModel } from './random-model.ts';
import { median } from './report.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(ROOT, 'bin/vlmo.js');
const DEMO = join(ROOT, 'models/demo');
const SEARCHES = 20;

export interface Scene extends AsyncDisposable {
  readonly folder: string;
  readonly redis: Redis;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * The queued way: how fast a manifest of captions goes into Redis and what it costs there, what the queue costs an item,
 * two workers against the direct way on the same cores, and searches while the workers are saturated.
 */
export async function queue(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      lines: { type: 'string', default: '1000000' },
      model: { type: 'string', default: 'demo' },
      count: { type: 'string', default: '2000' },
      rounds: { type: 'string', default: '3' },
    },
  });
  console.log(`Redis ${await redisVersion()}`);
  const lines = Number(values.lines);
  if (lines > 0) {
    await submission(Math.ceil(lines / 10));
    await submission(lines);
  }
  const model =
    values.model === 'base' ? await randomBaseModel() : values.model === 'demo' ? DEMO : values.model;
  await workers(model, Number(values.count), Number(values.rounds));
}

/** A manifest of captions into Redis, then out of it by a consumer that does nothing. */
async function submission(lines: number): Promise<void> {
  await using scene = await begin();
  const manifest = join(scene.folder, 'captions.jsonl');
  await writeCaptions(manifest, lines);
  const started = performance.now();
  let read = 0;
  for await (const _ of (await openSource(manifest)).items()) read += 1;
  const sourceSeconds = (performance.now() - started) / 1000;

  const index = join(scene.folder, 'index');
  const before = await usedMemory(scene.redis);
  const waiting = String(Math.ceil(lines / 256) + 1);
  const submit = await run(
    ['submit', manifest, '--index', index, '--model', DEMO, '--max-waiting', waiting, '--json'],
    scene.env,
  );
  const bytes = ((await usedMemory(scene.redis)) - before) / lines;
  console.log(`\n${lines.toLocaleString('en-US')} captions submitted, 256 a job`);
  console.log(`  source alone         ${perSecond(read, sourceSeconds)}`);
  console.log(`  vlmo submit, whole   ${perSecond(lines, submit.seconds)}, its start included`);
  console.log(`  peak memory          ${Math.round(submit.peak / 2 ** 20)} MiB`);
  console.log(`  Redis                ${bytes.toFixed(0)} bytes an item`);

  await using store = await openStore(index, { create: false });
  const queues = openQueues(scene.redis, store.id);
  const taking = performance.now();
  const consumer = createConsumer({
    ...{ client: scene.redis, indexId: store.id, concurrency: 4, lockDurationMs: 30_000 },
    takeChunk: async (job) => ({ kind: 'done', result: { stored: job.items.length } }),
    answerQuery: async () => ({}),
    retrieve: async () => ({}),
    onNote: console.log,
    onTrouble: (error) => console.log(error.message),
  });
  while ((await queueStatus(queues)).waiting > 0) await setTimeout(20);
  const seconds = (performance.now() - taking) / 1000;
  await consumer.close(1000);
  await queues.close();
  console.log(
    `  taken by a worker that does nothing: ${perSecond(lines, seconds)}, ${((1e6 * seconds) / lines).toFixed(2)} microseconds an item`,
  );
}

/** `vlmo index` and two `vlmo worker`, in turns; the model is loaded before the clock runs in both. */
async function workers(model: string, count: number, rounds: number): Promise<void> {
  const files = await makeJpegs(count, 640, 480);
  const opened = await openModel(model);
  const [direct, queued]: [number[], number[]] = [[], []];
  const latencies: number[] = [];
  for (let round = 0; round < rounds; round++) {
    direct.push(await directRate(files, model, count));
    queued.push(await queuedRate(files, model, count, latencies));
  }
  const [one, two] = [median(direct), median(queued)];
  const batch = pictureBatchSize(opened);
  const batchMs = (1000 * batch * availableParallelism()) / one;
  console.log(`\n${count} JPEGs of 640 x 480, medians of ${rounds} rounds`);
  console.log(`  vlmo index                        ${one.toFixed(1)} pictures/s`);
  console.log(
    `  two workers with a thread each    ${two.toFixed(1)} pictures/s: ${(two / one).toFixed(3)} of it`,
  );
  console.log(
    `  ${latencies.length} searches meanwhile: median ${median(latencies).toFixed(0)} ms, longest ${Math.max(...latencies).toFixed(0)} ms; a batch of ${batch} takes a thread ${batchMs.toFixed(0)} ms`,
  );
}

async function directRate(files: string, model: string, count: number): Promise<number> {
  const index = await mkdtemp(join(tmpdir(), 'vlmo-bench-direct-'));
  const { stdout } = await run(['index', files, '--index', index, '--model', model, '--json'], process.env);
  await rm(index, { recursive: true });
  return count / (JSON.parse(stdout) as { seconds: number }).seconds;
}

async function queuedRate(files: string, model: string, count: number, latencies: number[]): Promise<number> {
  await using scene = await begin();
  const index = join(scene.folder, 'index');
  const warm = join(scene.folder, 'warm.jsonl');
  await writeCaptions(warm, 64);
  const target = ['--index', index, '--model', model];
  await run(['submit', warm, ...target, '--chunk-items', '2', '--json'], scene.env);
  const args = ['worker', '--index', index, '--inference-workers', '1', '--decode-threads', '1'];
  const children = [1, 2].map(() =>
    spawn(process.execPath, [BIN, ...args], { env: scene.env, stdio: 'ignore' }),
  );
  try {
    await using store = await openStore(index, { create: false });
    const queues = openQueues(scene.redis, store.id);
    const drained = async (): Promise<boolean> => {
      const { waiting, active, workers } = await queueStatus(queues);
      return workers === 2 && waiting + active === 0;
    };
    while (!(await drained())) await setTimeout(50);
    // Both have had a chance to load the model.
    await setTimeout(1000);
    await queues.chunks.pause();
    await run(['submit', files, ...target, '--chunk-items', '64', '--json'], scene.env);
    const started = performance.now();
    await queues.chunks.resume();
    const asking = ask(scene.redis, store.id, latencies);
    while (!(await drained())) await setTimeout(20);
    const seconds = (performance.now() - started) / 1000;
    await asking;
    await queues.close();
    return count / seconds;
  } finally {
    await Promise.all(children.map(end));
  }
}

/** Searches one after the other, a fifth of a second apart, from when the workers are busy. */
async function ask(redis: Redis, indexId: string, latencies: number[]): Promise<void> {
  await using client = await createQueryClient(redis, indexId);
  await setTimeout(500);
  for (let i = 0; i < SEARCHES / 4; i++) {
    const started = performance.now();
    await client.query({ kind: 'search', text: `a red dog ${i}`, in: 'captions' });
    latencies.push(performance.now() - started);
    await setTimeout(200);
  }
}

/** A Redis of its own in a folder of its own. */
export async function begin(): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-bench-queue-'));
  const path = join(folder, 'redis.sock');
  const settings = [
    '--port',
    '0',
    '--unixsocket',
    path,
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'yes',
  ];
  const server = spawn('redis-server', settings, { stdio: 'ignore' });
  const redis = new Redis({ path, maxRetriesPerRequest: null, retryStrategy: () => 50 });
  redis.on('error', () => undefined);
  await redis.ping();
  return {
    ...{ folder, redis, env: { ...process.env, REDIS_URL: `unix://${path}` } },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await end(server);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Ran {
  readonly stdout: string;
  readonly seconds: number;
  /** Peak resident memory, bytes. */
  readonly peak: number;
}

/** Runs a command of vlmo to its end. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  const started = performance.now();
  const child = spawn(process.execPath, [BIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr, peak] = ['', '', 0];
  child.stdout.on('data', (piece: Buffer) => {
    stdout += piece.toString();
  });
  child.stderr.on('data', (piece: Buffer) => {
    stderr += piece.toString();
  });
  const look = async (): Promise<void> => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
  };
  const timer = setInterval(() => void look(), 50);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(timer);
  if (code !== 0) throw new Error(`vlmo ${args.join(' ')} ended with ${code}: ${stderr}`);
  return { stdout, seconds: (performance.now() - started) / 1000, peak };
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

async function writeCaptions(path: string, lines: number): Promise<void> {
  const file = createWriteStream(path);
  for (let n = 0; n < lines; n++) {
    const line = `${JSON.stringify({ id: `caption-${n}`, caption: `a red dog number ${n} on a beach` })}\n`;
    if (!file.write(line)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
}

async function usedMemory(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1] ?? 0);
}

async function redisVersion(): Promise<string> {
  await using scene = await begin();
  return /redis_version:(\S+)/.exec(await scene.redis.info('server'))?.[1] ?? '';
}

function perSecond(items: number, seconds: number): string {
  return `${Math.round(items / seconds).toLocaleString('en-US')} items/s`;
}
