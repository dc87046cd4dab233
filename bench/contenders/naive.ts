import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@lancedb/lancedb';
import ort from 'onnxruntime-node';
import sharp from 'sharp';
import { prepareWeights } from '#model/prepare-weights.ts';
import { openModelFolder } from '#model/vlmo/folder.ts';
import { buildGraph } from '#model/vlmo/network.ts';
import { encodeModel } from '#onnx/encode.ts';
import { listPictures } from '../pictures.ts';
import { readTask, reportRate } from './contender.ts';

/** The same pipeline as one would write it first: one thread, one picture at a time, one row a write. */
const task = readTask();
const model = await openModelFolder(task.model);
await using prepared = await prepareWeights(model);
const session = await ort.InferenceSession.create(
  encodeModel(buildGraph('image', model.config, prepared.weights, ['image_embedding'])),
  {
    extra: { session: { model_external_initializers_file_folder_path: prepared.folder } },
  },
);
const [height, width] = model.config.image_size;
const folder = mkdtempSync(join(tmpdir(), 'vlmo-bench-naive-'));
const database = await connect(folder);
const files = (await listPictures(task.files)).slice(0, task.count);
const table = await database.createTable('images', [await embed(files[0] ?? '')]);
const start = performance.now();
for (const file of files) await table.add([await embed(file)]);
reportRate(files.length, performance.now() - start);
rmSync(folder, { recursive: true });

async function embed(file: string): Promise<{ id: string; vector: number[] }> {
  const raw = await sharp(await readFile(file))
    .resize(width, height, { fit: 'fill' })
    .removeAlpha()
    .raw()
    .toBuffer();
  const pixels = new Float32Array(3 * height * width);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) pixels[c * height * width + i] = (raw[3 * i + c] ?? 0) / 127.5 - 1;
  }
  const { image_embedding } = await session.run({
    pixel_values: new ort.Tensor('float32', pixels, [1, 3, height, width]),
  });
  return { id: file, vector: Array.from(image_embedding?.data as Float32Array) };
}
