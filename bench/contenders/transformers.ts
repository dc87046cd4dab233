import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, pipeline } from '@huggingface/transformers';
import { prepareWeights } from '#model/prepare-weights.ts';
import { openModelFolder } from '#model/vlmo/folder.ts';
import { preprocessorConfig } from '#model/vlmo/import.ts';
import { buildGraph } from '#model/vlmo/network.ts';
import { createWeights } from '#model/weights.ts';
import { encodeModel } from '#onnx/encode.ts';
import { listPictures } from '../pictures.ts';
import { readTask, reportRate } from './contender.ts';

/**
 * `image-feature-extraction` of @huggingface/transformers on the very same graph and weights, in its usual loop.
 * `batch` 1 is one picture a call, as its documentation shows; more hands over an array of files a call.
 */
const WEIGHTS = 'model.onnx_data';
const task = readTask();
const model = await openModelFolder(task.model);
const { config } = model;
await using prepared = await prepareWeights(model);
const root = await mkdtemp(
  join(prepared.folder.startsWith('/dev/shm') ? '/dev/shm' : tmpdir(), 'vlmo-bench-hf-'),
);
await mkdir(join(root, 'model/onnx'), { recursive: true });
// A hard link: the same weights, where transformers.js looks for them.
await link(join(prepared.folder, 'model.safetensors'), join(root, 'model/onnx', WEIGHTS));
const graph = buildGraph('image', config, createWeights(WEIGHTS, prepared.weights.tensors), [
  'image_embedding',
]);
const nodes = [
  ...graph.nodes,
  {
    op: 'Unsqueeze',
    domain: '',
    inputs: ['image_embedding', 'axis'],
    outputs: ['last_hidden_state'],
    attributes: {},
  },
];
const axis = {
  name: 'axis',
  type: 'int64',
  dims: [1],
  data: new Uint8Array(BigInt64Array.of(1n).buffer),
} as const;
const outputs = [{ name: 'last_hidden_state', type: 'float32', dims: ['B', 1, config.hidden_size] } as const];
await writeFile(
  join(root, 'model/onnx/model.onnx'),
  encodeModel({ ...graph, nodes, constants: [...graph.constants, axis], outputs }),
);
await writeFile(
  join(root, 'model/config.json'),
  JSON.stringify({ model_type: 'vit', hidden_size: config.hidden_size }),
);
await writeFile(join(root, 'model/preprocessor_config.json'), JSON.stringify(preprocessorConfig(config)));

env.localModelPath = root;
env.allowRemoteModels = false;
const extract = await pipeline('image-feature-extraction', 'model', {
  dtype: 'fp32',
  use_external_data_format: true,
});
const files = (await listPictures(task.files)).slice(0, task.count);
await extract(files[0] ?? '');
const start = performance.now();
const batch = Number(task.batch);
for (let i = 0; i < files.length; i += batch)
  await extract(batch === 1 ? (files[i] ?? '') : files.slice(i, i + batch));
reportRate(files.length, performance.now() - start);
await rm(root, { recursive: true });
