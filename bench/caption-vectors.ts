import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadVlmo, type Vlmo } from '#model/vlmo/vlmo.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import { preprocess } from '#pictures/preprocess.ts';
import { type Drawing, drawOpenMoji, readDrawings } from '../demo/drawings.ts';
import { createRandom } from './random-model.ts';
import type { TestVectors } from './random-vectors.ts';

const MODEL = fileURLToPath(new URL('../models/demo', import.meta.url));

/** Vectors of the bundled model: made-up captions of things, asked for by other captions and by pictures of single things. */
export async function captionVectors(count: number, queries: number): Promise<TestVectors> {
  const drawings = await readDrawings();
  const random = createRandom(3);
  const texts = new Set<string>();
  while (texts.size < count + queries) texts.add(caption(drawings, random));
  await using vlmo = await loadVlmo(MODEL);
  const all = await embedTexts(vlmo, [...texts]);
  const dimensions = vlmo.config.hidden_size;
  return {
    dimensions,
    stored: all.subarray(0, count * dimensions),
    queries: {
      captions: rowsOf(all.subarray(count * dimensions), dimensions),
      pictures: await embedPictures(vlmo, drawings, queries, random),
    },
  };
}

const COLOURS = ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'gray'];
const PLACES = ['above', 'below', 'left of', 'right of', 'beside', 'near'];
const COUNTS = ['a', 'two', 'three', 'four'];

/** One to three things, as "two red apples above a violin". */
function caption(drawings: readonly Drawing[], random: () => number): string {
  const one = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const thing = (): string => {
    const { title, keywords } = one(drawings);
    const colour = random() < 0.7 ? `${one(COLOURS)} ` : '';
    return `${one(COUNTS)} ${colour}${random() < 0.6 ? title : one([title, ...keywords])}`;
  };
  const kind = random();
  if (kind < 0.25) return thing();
  return kind < 0.85 ? `${thing()} ${one(PLACES)} ${thing()}` : `${thing()}, ${thing()} and ${thing()}`;
}

async function embedTexts(vlmo: Vlmo, texts: readonly string[]): Promise<Float32Array> {
  const width = vlmo.config.hidden_size;
  const all = new Float32Array(texts.length * width);
  // By length, so that little of a batch is padding.
  const order = texts.map((_, i) => i).sort((a, b) => (texts[a]?.length ?? 0) - (texts[b]?.length ?? 0));
  for (let start = 0; start < order.length; start += 64) {
    const some = order.slice(start, start + 64);
    const { data } = await vlmo.embedTexts(some.map((i) => texts[i] ?? ''));
    for (const [j, i] of some.entries()) all.set(data.subarray(j * width, (j + 1) * width), i * width);
  }
  return all;
}

async function embedPictures(
  vlmo: Vlmo,
  drawings: readonly Drawing[],
  count: number,
  random: () => number,
): Promise<Float32Array[]> {
  const folder = join(tmpdir(), 'vlmo-bench-openmoji');
  await drawOpenMoji(folder);
  const { picture } = vlmo.folder;
  const vectors: Float32Array[] = [];
  for (let i = 0; i < count; i++) {
    const { name = '' } = drawings[Math.floor(random() * drawings.length)] ?? {};
    const bytes = await readFile(join(folder, `${name}.png`));
    const data = new Float32Array(pictureValues(picture));
    await preprocess(bytes, picture, 'fast', { maxPixels: 1e9 }, data);
    vectors.push((await vlmo.embedImages({ data, dims: [1, picture.channels, ...picture.size] })).data);
  }
  return vectors;
}

function rowsOf(all: Float32Array, dimensions: number): Float32Array[] {
  return Array.from({ length: all.length / dimensions }, (_, i) =>
    all.slice(i * dimensions, (i + 1) * dimensions),
  );
}
