import { access, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readBlipConfig, tokensOfPicture } from '#model/blip/config.ts';
import { openBlipFolder } from '#model/blip/folder.ts';
import { BlipGraphs } from '#model/blip/load-blip.ts';
import { tensorShapes } from '#model/blip/shapes.ts';
import { createCrossEncoder } from '#model/cross-encoder.ts';
import type { Model } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import type { Runner } from '#model/runner.ts';
import { layOutSafetensors } from '#model/safetensors.ts';
import { TokenCache } from '#model/token-cache.ts';
import { padTokens } from '#model/tokenizer.ts';
import { createPools } from '#workers/threads/create-pools.ts';
import { createPoolRunner } from '#workers/threads/pool-runner.ts';
import { createThreadRunner } from '#workers/threads/thread-runner.ts';
import { createRandom } from './random-model.ts';
import { median } from './report.ts';

/** Pairs of a run, as the cross-encoder has them. */
const BATCH = 8;
const TEXT = Array.from({ length: 10 }, (_, i) => `w${i}`).join(' ');
const LIMITS = { preprocess: 'reference', maxPixels: 1e8, maxImageBytes: 1e8 } as const;

/**
 * Latency of reading again candidates whose tokens are kept, by a BLIP of the published size with random weights: in one
 * thread as `vlmo search` does it, and on the pools as a server does. Beside it the text side alone: the graph of pairs on
 * tensors that are ready. Contenders take turns; medians of the rounds.
 */
export async function rerankerBench(args: readonly string[]): Promise<void> {
  const options = { n: { type: 'string', default: '32' }, rounds: { type: 'string', default: '3' } } as const;
  const { values } = parseArgs({ args: [...args], options });
  const [n, rounds] = [Number(values.n), Number(values.rounds)];
  const path = await randomBlip();
  const model = await openModel(path);
  const tokenizer = await model.loadTokenizer();
  const kept = Array.from({ length: Math.min(n, BATCH) }, (_, i) => randomTokens(model, i));
  const ids = padTokens([tokenizer.encode(TEXT)]);
  const batch = Float32Array.from(kept.flatMap((tokens) => [...new Float32Array(tokens)]));
  const cores = availableParallelism();
  await using here = createThreadRunner(model, { ...LIMITS, provider: 'cpu' });
  await using pools = await createPools(model, {
    ...LIMITS,
    ...{ inferenceWorkers: cores, decodeThreads: 1, decodeTimeout: 60, decodeMemory: 512 },
  });
  const graphs = new BlipGraphs(await openBlipFolder(path), { threads: 0, provider: 'cpu' });
  const contenders: Readonly<Record<string, () => Promise<unknown>>> = {
    'text side alone': async () => {
      for (let at = 0; at < n; at += BATCH) await graphs.matchTokens(batch, kept.length, ids);
    },
    'in one thread': await cached(here, model, kept, n),
    'on the pools': await cached(createPoolRunner(model, pools), model, kept, n),
  };
  const times = new Map(Object.keys(contenders).map((name): [string, number[]] => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const start = performance.now();
      await run();
      // The first makes the sessions.
      if (round > 0) times.get(name)?.push(performance.now() - start);
    }
  }
  await graphs.close();
  console.log(`one text of ${ids.length} tokens with ${n} pictures whose tokens are kept`);
  const floor = median(times.get('text side alone') ?? []);
  for (const [name, all] of times) {
    const time = median(all);
    console.log(
      `  ${name.padEnd(20)} ${time.toFixed(0).padStart(7)} ms   ${(time / floor).toFixed(2)} of the text side`,
    );
  }
}

/** Matches the text with `n` pictures that are in the cache. */
async function cached(
  runner: Runner,
  model: Model,
  kept: readonly SharedArrayBuffer[],
  n: number,
): Promise<() => Promise<unknown>> {
  const bytesEach = kept[0]?.byteLength ?? 0;
  const cache = new TokenCache({ bytesEach, maxBytes: 2 ** 31, fingerprint: 'bench' });
  const pictures = Array.from({ length: n }, (_, i) => ({ uri: '/none', sha256: String(i) }));
  for (const [i, { sha256 }] of pictures.entries())
    await cache.keep(sha256, kept[i % kept.length] as SharedArrayBuffer);
  const crossEncoder = await createCrossEncoder(runner, { cache });
  return async () => {
    const found = await crossEncoder.match(pictures, [TEXT]);
    if (found.some((logits) => logits instanceof Error)) throw new Error(`Model "${model.name}" read a file`);
  };
}

function randomTokens(model: Model, seed: number): SharedArrayBuffer {
  const { pictureTokens } = model.requireMatching();
  const tokens = new SharedArrayBuffer((pictureTokens ?? 0) * Float32Array.BYTES_PER_ELEMENT);
  const next = createRandom(seed);
  new Float32Array(tokens).forEach((_, i, all) => {
    all[i] = next() * 4 - 2;
  });
  return tokens;
}

/** A folder of BLIP-ITM's published size, 384 pixels, written once under the temporary folder. */
async function randomBlip(): Promise<string> {
  const folder = join(tmpdir(), 'vlmo-bench-blip');
  const isThere = await access(join(folder, 'config.json')).then(
    () => true,
    () => false,
  );
  if (isThere) return folder;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const half = [0.5, 0.5, 0.5];
  const json = {
    'config.json': { model_type: 'blip', text_config: { num_attention_heads: 12 } },
    'preprocessor_config.json': { size: { height: 384, width: 384 }, image_mean: half, image_std: half },
  };
  for (const [name, value] of Object.entries(json))
    await writeFile(join(partial, name), JSON.stringify(value));
  const config = await readBlipConfig(partial);
  if (tokensOfPicture(config) !== 577) throw new Error('The published size has 577 tokens');
  const words = Array.from({ length: 30_522 - 4 }, (_, i) => `w${i}`);
  await writeFile(join(partial, 'vocab.txt'), ['[PAD]', '[UNK]', '[CLS]', '[SEP]', ...words].join('\n'));
  const specs = new Map(
    [...tensorShapes(config)].map(([name, shape]) => [name, { dtype: 'F32', shape } as const]),
  );
  const { header, places } = layOutSafetensors(specs);
  await using file = await open(join(partial, 'model.safetensors'), 'wx');
  await file.writeFile(header);
  const next = createRandom(1);
  for (const { length } of places.values())
    await file.writeFile(
      new Uint8Array(Float32Array.from({ length: length / 4 }, () => (next() - 0.5) * 0.06).buffer),
    );
  await rename(partial, folder);
  return folder;
}
