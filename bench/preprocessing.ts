import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadVlmo, type Vlmo } from '#model/vlmo/vlmo.ts';
import { PREPROCESS_MODES, type PreprocessMode, preprocess } from '#pictures/preprocess.ts';
import { drawOpenMoji } from '../demo/drawings.ts';
import { listPictures } from './pictures.ts';
import { median } from './report.ts';

const DEMO = fileURLToPath(new URL('../models/demo', import.meta.url));
const TOP = 10;

/**
 * The two ways to preprocess, on the same pictures: CPU time a picture, drift of the vectors (cosine of one mode's with
 * the other's), and how much of a picture query's top 10 is the same among all the pictures.
 */
export async function preprocessing(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      pictures: { type: 'string' },
      model: { type: 'string', default: DEMO },
      count: { type: 'string', default: '400' },
    },
  });
  const files = (await listPictures(values.pictures ?? (await openMoji()))).slice(0, Number(values.count));
  await using vlmo = await loadVlmo(values.model);
  const vectors = new Map<PreprocessMode, Float32Array[]>();
  for (const mode of PREPROCESS_MODES) {
    const { milliseconds, embedded } = await embedAll(vlmo, files, mode);
    vectors.set(mode, embedded);
    console.log(`${mode.padEnd(10)} ${milliseconds.toFixed(2)} ms of CPU a picture`);
  }
  const [reference, fast] = PREPROCESS_MODES.map((mode) => vectors.get(mode) ?? []) as [
    Float32Array[],
    Float32Array[],
  ];
  const cosines = reference.map((vector, i) => dot(vector, fast[i] ?? vector)).sort((a, b) => a - b);
  const overlaps = reference.map((_, i) => overlap(nearest(reference, i), nearest(fast, i)));
  const mean = overlaps.reduce((sum, value) => sum + value, 0) / overlaps.length;
  const first =
    reference.filter((_, i) => nearest(reference, i)[0] === nearest(fast, i)[0]).length / reference.length;
  console.log(
    `${files.length} pictures: cosine least ${cosines[0]?.toFixed(5)}, 1 % below ${cosines[Math.floor(cosines.length / 100)]?.toFixed(5)}, median ${median(cosines).toFixed(5)}`,
  );
  console.log(
    `top ${TOP} the same by ${(100 * mean).toFixed(1)} %, the best hit in ${(100 * first).toFixed(1)} %`,
  );
}

async function openMoji(): Promise<string> {
  const folder = join(tmpdir(), 'vlmo-bench-openmoji');
  await drawOpenMoji(folder);
  return folder;
}

async function embedAll(
  vlmo: Vlmo,
  files: readonly string[],
  mode: PreprocessMode,
): Promise<{ milliseconds: number; embedded: Float32Array[] }> {
  const dims = [1, vlmo.config.num_channels, ...vlmo.config.image_size];
  const embedded: Float32Array[] = [];
  let microseconds = 0;
  for (const file of files) {
    const bytes = await readFile(file);
    const data = new Float32Array(dims.reduce((product, size) => product * size, 1));
    const before = process.cpuUsage();
    await preprocess(bytes, vlmo.folder.picture, mode, { maxPixels: 1e9 }, data);
    const { user, system } = process.cpuUsage(before);
    microseconds += user + system;
    embedded.push((await vlmo.embedImages({ data, dims })).data);
  }
  return { milliseconds: microseconds / 1000 / files.length, embedded };
}

/** The pictures most like picture i, itself apart. */
function nearest(vectors: readonly Float32Array[], i: number): number[] {
  const query = vectors[i] ?? new Float32Array();
  const scores = vectors.map((vector, j) => ({ j, score: j === i ? -2 : dot(query, vector) }));
  return scores
    .sort((a, b) => b.score - a.score)
    .slice(0, TOP)
    .map(({ j }) => j);
}

function overlap(a: readonly number[], b: readonly number[]): number {
  return a.filter((value) => b.includes(value)).length / a.length;
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
