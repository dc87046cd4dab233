import { cut } from '#batches.ts';
import { ALL_OPTIONS } from '#config/options.ts';
import { openModelFolder } from '#model/vlmo/folder.ts';
import type { PreprocessMode } from '#pictures/preprocess.ts';
import { createPreprocessPool } from '#workers/decode/preprocess-pool.ts';
import { listPictures } from '../pictures.ts';
import { readTask, reportRate } from './contender.ts';

/** The decode processes alone: read, hash, decode, resize. */
const task = readTask();
const { config, picture } = await openModelFolder(task.model);
const setup = { spec: picture, mode: task.preprocess as PreprocessMode, maxPixels: 1e8, maxImageBytes: 1e8 };
await using pool = createPreprocessPool(setup, ALL_OPTIONS.decodeThreads.default);
const files = (await listPictures(task.files)).slice(0, task.count);
const batches = cut(files, 8);
const pixels = new SharedArrayBuffer(8 * config.num_channels * config.image_size[0] * config.image_size[1]);
const run = (uris: readonly string[]): Promise<unknown> =>
  pool.run({
    pixels,
    firstSlot: 0,
    pictures: uris.map((uri) => ({ uri, storedSha256: null, failedSha256: null })),
  });
await Promise.all(batches.slice(0, 4).map(run));
const start = performance.now();
await Promise.all(batches.map(run));
reportRate(files.length, performance.now() - start);
