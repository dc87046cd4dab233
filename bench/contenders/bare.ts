import { once } from 'node:events';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import ort from 'onnxruntime-node';
import { openModelFolder } from '#model/folder.ts';
import { buildGraph } from '#model/network.ts';
import { encodeModel } from '#model/onnx/encode.ts';
import { prepareWeights } from '#model/prepare-weights.ts';
import { readSafetensorsHeader } from '#model/safetensors.ts';
import { createWeights } from '#model/weights.ts';
import { readTask, reportRate } from './contender.ts';

/**
 * Bare `session.run` on ready tensors: `sessions` of them in threads, `threads` computing threads each, with
 * onnxruntime's own defaults (prepacked weights, spinning threads).
 */

interface Job {
  readonly model: string;
  readonly weights: string;
  readonly batch: number;
  readonly batches: number;
  readonly threads: number;
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

async function work({ model, weights, batch, batches, threads }: Job): Promise<void> {
  const { config } = await openModelFolder(model);
  const tensors = createWeights(
    'model.safetensors',
    await readSafetensorsHeader(join(weights, 'model.safetensors')),
  );
  const session = await ort.InferenceSession.create(
    encodeModel(buildGraph('image', config, tensors, ['image_embedding'])),
    {
      intraOpNumThreads: threads,
      extra: { session: { model_external_initializers_file_folder_path: weights } },
    },
  );
  const dims = [batch, config.num_channels, ...config.image_size];
  const data = Float32Array.from({ length: dims.reduce((product, size) => product * size, 1) }, (_, i) =>
    Math.sin(i),
  );
  const feeds = { pixel_values: new ort.Tensor('float32', data, dims) };
  await session.run(feeds);
  if (!parentPort) throw new Error('A contender works in a thread: this is a bug');
  const told = once(parentPort, 'message');
  parentPort.postMessage('ready');
  await told;
  for (let i = 0; i < batches; i++) await session.run(feeds);
  parentPort.postMessage('done');
}
