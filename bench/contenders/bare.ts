import { once } from 'node:events';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import ort from 'onnxruntime-node';
import { prepareWeights } from '#model/prepare-weights.ts';
import { readSafetensorsHeader } from '#model/safetensors.ts';
import type { VlmoConfig } from '#model/vlmo/config.ts';
import { openModelFolder } from '#model/vlmo/folder.ts';
import { buildGraph } from '#model/vlmo/network.ts';
import { createWeights } from '#model/weights.ts';
import { encodeModel } from '#onnx/encode.ts';
import { readTask, reportRate } from './contender.ts';

/**
 * Bare `session.run` on ready tensors: `sessions` of them in threads, `threads` computing threads each, with
 * onnxruntime's own defaults (prepacked weights, spinning threads). `what` is `images`, or pairs for the fusion encoder:
 * `pictures` with one text of `tokens` ids, or `captions` with one picture.
 */

interface Job {
  readonly model: string;
  readonly weights: string;
  readonly batch: number;
  readonly batches: number;
  readonly threads: number;
  readonly what: string;
  readonly tokens: number;
}

if (isMainThread) await main();
else await work(workerData as Job);

async function main(): Promise<void> {
  const task = readTask();
  const [sessions, batch] = [Number(task.sessions), Number(task.batch)];
  await using prepared = await prepareWeights(await openModelFolder(task.model));
  const batches = Math.ceil(task.count / batch / sessions);
  const job: Job = {
    model: task.model,
    weights: prepared.folder,
    batch,
    batches,
    threads: Number(task.threads),
    what: String(task.what ?? 'images'),
    tokens: Number(task.tokens ?? 0),
  };
  const workers = Array.from(
    { length: sessions },
    () => new Worker(new URL(import.meta.url), { workerData: job }),
  );
  const next = (worker: Worker): Promise<unknown> =>
    new Promise((resolve) => worker.once('message', resolve));
  await Promise.all(workers.map(next));
  const start = performance.now();
  await Promise.all(
    workers.map((worker) => {
      worker.postMessage('go');
      return next(worker);
    }),
  );
  reportRate(batches * batch * sessions, performance.now() - start);
}

async function work(job: Job): Promise<void> {
  const { model, weights, batches, threads } = job;
  const { config } = await openModelFolder(model);
  const tensors = createWeights(
    'model.safetensors',
    await readSafetensorsHeader(join(weights, 'model.safetensors')),
  );
  const graph =
    job.what === 'images'
      ? buildGraph('image', config, tensors, ['image_embedding'])
      : buildGraph('fusion', config, tensors, ['itm_logits']);
  const session = await ort.InferenceSession.create(encodeModel(graph), {
    intraOpNumThreads: threads,
    extra: { session: { model_external_initializers_file_folder_path: weights } },
  });
  const feeds = makeFeeds(job, config);
  await session.run(feeds);
  if (!parentPort) throw new Error('A contender works in a thread: this is a bug');
  const told = once(parentPort, 'message');
  parentPort.postMessage('ready');
  await told;
  for (let i = 0; i < batches; i++) await session.run(feeds);
  parentPort.postMessage('done');
}

function makeFeeds({ what, batch, tokens }: Job, config: VlmoConfig): Record<string, ort.Tensor> {
  const pictures = what === 'captions' ? 1 : batch;
  const dims = [pictures, config.num_channels, ...config.image_size];
  const length = dims.reduce((product, size) => product * size, 1);
  const data = Float32Array.from({ length }, (_, i) => Math.sin(i));
  const pixels = new ort.Tensor('float32', data, dims);
  if (what === 'images') return { pixel_values: pixels };
  const texts = what === 'captions' ? batch : 1;
  const ids = Int32Array.from({ length: texts * tokens }, (_, i) => 4 + (i % 1000));
  return { pixel_values: pixels, input_ids: new ort.Tensor('int32', ids, [texts, tokens]) };
}
