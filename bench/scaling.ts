import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openQueues } from '#queue/bull-queues.ts';
import { queueStatus } from '#queue/status.ts';
import { openStore } from '#store/lance/open-store.ts';
import { makeJpegs } from './pictures.ts';
import { watchTree } from './process-tree.ts';
import { begin, end, run } from './queue.ts';
import { randomBaseModel } from './random-model.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(ROOT, 'bin/vlmo.js');
const CHUNK = 64;

interface Measured {
  /** Pictures a second. */
  readonly rate: number;
  /** Peak of all its processes together, bytes. */
  readonly peak: number;
}

interface Work {
  readonly files: string;
  readonly count: number;
  readonly model: string;
  readonly device: string;
  /** What a process of this many cores is started by. */
  readonly taskset: readonly string[];
}

/**
 * How indexing grows with the cores: decode alone, `vlmo index` and one `vlmo worker`, each held to the first 1, 2, 4, 8
 * and 16 cores by taskset, as far as there are so many.
 */
export async function scaling(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string', default: 'demo' },
      device: { type: 'string', default: 'auto' },
      count: { type: 'string', default: '4000' },
      cores: { type: 'string', default: '1,2,4,8,16' },
      photographs: { type: 'string' },
    },
  });
  const count = Number(values.count);
  const files = await makeJpegs(count, 640, 480, values.photographs);
  const named = values.model === 'demo' ? join(ROOT, 'models/demo') : values.model;
  const model = values.model === 'base' ? await randomBaseModel() : named;
  console.log(`${count} JPEGs of 640 x 480; pictures/s, and MiB of all processes together`);
  console.log('cores  decode alone      vlmo index       vlmo worker');
  for (const cores of values.cores.split(',').map(Number)) {
    if (cores > availableParallelism()) continue;
    const taskset = ['taskset', '-c', `0-${cores - 1}`, process.execPath];
    const work = { files, count, model, device: values.device, taskset };
    const cells = [await decodeAlone(work), await index(work), await worker(work)].map(shown);
    console.log(`${String(cores).padStart(5)}  ${cells.join('  ')}`);
  }
}

function shown({ rate, peak }: Measured): string {
  return `${rate.toFixed(0).padStart(6)} ${String(Math.round(peak / 2 ** 20)).padStart(6)} MiB`;
}

function start({ taskset: [program = '', ...before] }: Work, args: readonly string[], env = process.env) {
  return spawn(program, [...before, ...args], { env, stdio: ['ignore', 'pipe', 'ignore'] });
}

async function output(child: ChildProcess): Promise<{ stdout: string; peak: number }> {
  const tree = watchTree(child);
  let stdout = '';
  child.stdout?.on('data', (piece: Buffer) => {
    stdout += piece.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${child.spawnargs.join(' ')} ended with ${code}`);
  return { stdout, peak: tree.stop() };
}

async function decodeAlone(work: Work): Promise<Measured> {
  const { model, files, count } = work;
  const task = JSON.stringify({ model, files, count, preprocess: 'fast' });
  const { stdout, peak } = await output(start(work, [join(ROOT, 'bench/contenders/decode.ts'), task]));
  return { rate: (JSON.parse(stdout) as { rate: number }).rate, peak };
}

/** The summary's seconds leave out the model's loading. */
async function index(work: Work): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-bench-scaling-'));
  const { files, model, device, count } = work;
  const args = [BIN, 'index', files, '--index', folder, '--model', model, '--device', device, '--json'];
  const { stdout, peak } = await output(start(work, args));
  await rm(folder, { recursive: true });
  return { rate: count / (JSON.parse(stdout) as { seconds: number }).seconds, peak };
}

/** From the end of its first chunk, which loads the model, to the end of its last one. */
async function worker(work: Work): Promise<Measured> {
  await using scene = await begin();
  const folder = join(scene.folder, 'index');
  const { files, model, device, count } = work;
  const target = ['--index', folder, '--model', model, '--chunk-items', String(CHUNK), '--json'];
  await run(['submit', files, ...target], scene.env);
  await using store = await openStore(folder, { create: false });
  const queues = openQueues(scene.redis, store.id);
  const left = async (): Promise<number> => {
    const { waiting, active } = await queueStatus(queues);
    return waiting + active;
  };
  const all = await left();
  const child = start(work, [BIN, 'worker', '--index', folder, '--device', device], scene.env);
  child.stdout?.resume();
  const tree = watchTree(child);
  try {
    let begun = all;
    while (begun === all) {
      begun = await left();
      await setTimeout(20);
    }
    const started = performance.now();
    while ((await left()) > 0) await setTimeout(20);
    const pictures = count * (begun / all);
    return { rate: (1000 * pictures) / (performance.now() - started), peak: tree.stop() };
  } finally {
    await end(child);
    await queues.close();
  }
}
