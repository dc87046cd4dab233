import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type CrossEncoder, createCrossEncoder } from '#model/cross-encoder.ts';
import { openModel } from '#model/open-model.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import { createPools, type Pools } from '#workers/threads/create-pools.ts';
import { createPoolRunner } from '#workers/threads/pool-runner.ts';
import { createThreadRunner } from '#workers/threads/thread-runner.ts';
import { measure } from './contenders/contender.ts';
import { listPictures, makeJpegs } from './pictures.ts';
import { createRandom, randomBaseModel } from './random-model.ts';
import { median } from './report.ts';

const DEMO = fileURLToPath(new URL('../models/demo', import.meta.url));
const WORDS_A_TEXT = 10;
/** Pairs of a run. */
const BATCH = 8;
const LIMITS = { preprocess: 'fast', maxPixels: 1e8, maxImageBytes: 1e8 } as const;

/** What is read: JPEG files, and texts of the same number of tokens. */
interface Candidates {
  readonly files: readonly string[];
  readonly texts: readonly string[];
  readonly tokens: number;
}

/**
 * Latency of reading the first N again: pictures with one text, and captions with one picture; on the pools as a worker
 * does it, and in one thread as `vlmo search` does it. Beside it the decode alone, the model alone (the pools on ready
 * tensors), and the floor: bare `session.run` of the fusion graph. Contenders take turns; medians of the rounds.
 */
export async function rerankBench(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string', default: 'demo' },
      n: { type: 'string', default: '32' },
      rounds: { type: 'string', default: '5' },
      photographs: { type: 'string' },
    },
  });
  const isBase = values.model === 'base';
  const path = isBase ? await randomBaseModel() : values.model === 'demo' ? DEMO : values.model;
  const model = await openModel(path);
  const n = Number(values.n);
  const cores = availableParallelism();
  const threads = { inferenceWorkers: cores, decodeThreads: cores, decodeTimeout: 60, decodeMemory: 512 };
  await using pools = await createPools(model, { ...LIMITS, ...threads });
  await using vlmo = await loadVlmo(model.path);
  const texts = makeTexts(n, isBase);
  const tokens = Math.max(...texts.map((text) => vlmo.tokenizer.encode(text).length));
  const files = await listPictures(await makeJpegs(n, 640, 480, values.photographs));
  const candidates = { files, texts, tokens };
  const onPools = await createCrossEncoder(createPoolRunner(model, pools));
  await using runner = createThreadRunner(model, { ...LIMITS, provider: 'cpu' });
  const here = await createCrossEncoder(runner);
  const pictureBytes = pictureValues(model.picture);
  for (const what of ['pictures', 'captions'] as const) {
    const bare = (sessions: number): number => {
      const count = Math.max(n, BATCH * sessions);
      const run = { sessions, threads: cores / sessions, batch: BATCH, what, tokens };
      return (1000 * n) / measure('bare', { model: path, files: '', count, ...run });
    };
    const contenders: Readonly<Record<string, () => Promise<number>>> = {
      'on the pools': timed(() => match(onPools, what, candidates)),
      'in one thread': timed(() => match(here, what, candidates)),
      'decode alone': timed(() =>
        decode(pools, pictureBytes, what === 'pictures' ? files : files.slice(0, 1)),
      ),
      'model alone': timed(() => compute(pools, pictureBytes, what, candidates)),
      'bare, 1 session on all cores': async () => bare(1),
      'bare, 1 session a core': async () => bare(cores),
    };
    const side = what === 'pictures' ? 'one text to pictures' : 'one picture to captions';
    print(`${side}, N = ${n}, ${tokens} tokens a text`, await takeTurns(contenders, Number(values.rounds)));
  }
}

/** Of words that are one token each in the vocabulary of either model. */
function makeTexts(count: number, isBase: boolean): string[] {
  const drawn =
    'red apple dog cat tree green blue ball car house sun moon star fish bird boat train clock'.split(' ');
  const next = createRandom(5);
  const word = (): string => {
    const i = Math.floor(next() * drawn.length);
    return isBase ? `w${i}` : (drawn[i] ?? '');
  };
  return Array.from({ length: count }, () => Array.from({ length: WORDS_A_TEXT }, word).join(' '));
}

function match(
  crossEncoder: CrossEncoder,
  what: 'pictures' | 'captions',
  { files, texts }: Candidates,
): Promise<unknown> {
  if (what === 'pictures') return crossEncoder.match(files, [texts[0] ?? '']);
  return crossEncoder.match([files[0] ?? ''], texts);
}

function decode({ preprocess }: Pools, pictureBytes: number, files: readonly string[]): Promise<unknown> {
  const pixels = new SharedArrayBuffer(files.length * pictureBytes);
  const run = (uri: string, firstSlot: number): Promise<unknown> =>
    preprocess.run({ pixels, firstSlot, pictures: [{ uri, storedSha256: null, failedSha256: null }] });
  return Promise.all(files.map(run));
}

function compute(
  { inference }: Pools,
  pictureBytes: number,
  what: 'pictures' | 'captions',
  { texts }: Candidates,
): Promise<unknown> {
  const runs = Array.from({ length: Math.ceil(texts.length / BATCH) }, (_, i) => {
    const some = texts.slice(i * BATCH, (i + 1) * BATCH);
    const count = what === 'pictures' ? some.length : 1;
    const pixels = new SharedArrayBuffer(count * pictureBytes);
    return inference.run({
      kind: 'match',
      pixels,
      count,
      texts: what === 'pictures' ? texts.slice(0, 1) : some,
    });
  });
  return Promise.all(runs);
}

function timed(work: () => Promise<unknown>): () => Promise<number> {
  return async () => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
}

/** Milliseconds of each: the middle of the rounds, after one that makes the sessions. */
async function takeTurns(
  contenders: Readonly<Record<string, () => Promise<number>>>,
  rounds: number,
): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      if (round === 0 && name.startsWith('bare')) continue; // it has sessions of its own
      const time = await run();
      if (round > 0) times.get(name)?.push(time);
    }
  }
  return new Map([...times].map(([name, all]) => [name, median(all)]));
}

function print(title: string, times: ReadonlyMap<string, number>): void {
  const of = (name: string): number => times.get(name) ?? Number.NaN;
  const bare = Math.min(of('bare, 1 session on all cores'), of('bare, 1 session a core'));
  console.log(title);
  for (const [name, time] of times) {
    console.log(
      `  ${name.padEnd(30)} ${time.toFixed(1).padStart(9)} ms   ${(time / bare).toFixed(2)} of bare`,
    );
  }
  // Decoding and the model share the cores.
  const floor = bare + of('decode alone');
  console.log(`  on the pools: ${(of('on the pools') / floor).toFixed(2)} of decode and bare together\n`);
}
