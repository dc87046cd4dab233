import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { resolveDevice } from '#devices/device.ts';
import type { DeviceName } from '#devices/provider.ts';
import { loadVlmo, type Vlmo } from '#model/vlmo/vlmo.ts';
import { type PictureSpec, pictureSize, squashed } from '#pictures/picture-spec.ts';
import { decodeSamples } from '#pictures/preprocess.ts';
import { randomBaseModel } from '../random-model.ts';

export interface PrecisionOptions {
  readonly device: string;
  readonly model: string;
  /** A file of the scenes' pixels, drawn into it where it is not there; a GPU machine may lack what draws them. */
  readonly scenes: string | undefined;
}

/** Pictures of the demo and what stands on them. */
interface Scenes {
  readonly captions: readonly string[];
  /** [N, 3, SIDE, SIDE] of 8 bits. */
  readonly samples: Uint8Array;
}

const SIDE = 128;
const VALUES = 3 * SIDE * SIDE;
const BATCH = 50;
const K = 10;
const DEMO = fileURLToPath(new URL('../../models/demo', import.meta.url));

/** What 16 bits change, on the 1,000 pictures of the demo and their captions: vectors, hits, recall and match. */
export async function precision({ device: name, model, scenes: file }: PrecisionOptions): Promise<void> {
  const { provider } = await resolveDevice(name as DeviceName);
  const scenes = await readScenes(file ?? join(tmpdir(), 'vlmo-bench-scenes.gz'));
  const folder = model === 'base' ? await randomBaseModel() : model === 'demo' ? DEMO : model;
  const [full, half] = await Promise.all([
    embedAll(folder, scenes, { provider, precision: 'f32' }),
    embedAll(folder, scenes, { provider, precision: 'f16' }),
  ]);
  const count = scenes.captions.length;
  const weights =
    model === 'base' ? ' (random weights: they say how arithmetic differs, not how hits do)' : '';
  console.log(`\n${model}${weights} on ${provider}, ${count} pictures and captions, f16 beside f32`);
  for (const reason of half.reasons) console.log(`  runs in f32: ${reason}`);
  const areFinite = [half.images, half.texts, half.odds].every((all) => all.every(Number.isFinite));
  console.log(`  all finite: ${areFinite ? 'yes' : 'NO'}`);
  console.log(`  least cosine: pictures ${least(full.images, half.images, count)}`);
  console.log(`                texts    ${least(full.texts, half.texts, count)}`);
  const [hits, others] = [topOf(full, count), topOf(half, count)];
  const same = hits.map((mine, i) => mine.filter((hit) => others[i]?.includes(hit)).length / K);
  console.log(`  hits of the first ${K} that are the same: ${percent(mean(same))}`);
  console.log(`  recall@${K}: f32 ${percent(recall(hits))}, f16 ${percent(recall(others))}`);
  const apart = full.odds.map((value, i) => Math.abs(sigmoid(value) - sigmoid(half.odds[i] as number)));
  console.log(
    `  match probability: at most ${Math.max(...apart).toFixed(5)} apart, over ${apart.length} pairs`,
  );
}

interface Embedded {
  readonly images: Float32Array;
  readonly texts: Float32Array;
  /** log-odds of each caption with its picture and with the next one. */
  readonly odds: Float32Array;
  readonly reasons: readonly string[];
}

type How = Pick<NonNullable<Parameters<typeof loadVlmo>[1]>, 'provider' | 'precision'>;

async function embedAll(folder: string, { captions, samples }: Scenes, how: How): Promise<Embedded> {
  await using vlmo = await loadVlmo(folder, { ...how, takesSamples: true });
  const images: number[] = [];
  const texts: number[] = [];
  const odds: number[] = [];
  for (let first = 0; first < captions.length; first += BATCH) {
    const some = captions.slice(first, first + BATCH);
    const pixels = fitted(vlmo, samples.subarray(first * VALUES, (first + some.length) * VALUES));
    for (const value of (await vlmo.embedImages(pixels)).data) images.push(value);
    for (const value of (await vlmo.embedTexts(some)).data) texts.push(value);
    if (!vlmo.folder.heads.itm) continue;
    for (const read of [some, [...some.slice(1), some[0] ?? '']]) {
      const { logits } = await vlmo.match(pixels, read);
      for (let i = 0; i < some.length; i++)
        odds.push((logits[2 * i + 1] as number) - (logits[2 * i] as number));
    }
  }
  const reasons = vlmo.proofs.flatMap(({ reason }) => (reason === null ? [] : [reason]));
  const as = (values: number[]): Float32Array => Float32Array.from(values);
  return { images: as(images), texts: as(texts), odds: as(odds), reasons };
}

/** The pictures at the size of a model, each pixel the one that lies nearest. */
function fitted({ config, folder }: Vlmo, samples: Uint8Array): { data: Uint8Array; dims: number[] } {
  const [height, width] = pictureSize(folder.picture);
  const count = samples.length / VALUES;
  const dims = [count, config.num_channels, height, width];
  if (height === SIDE && width === SIDE) return { data: samples, dims };
  const data = new Uint8Array(count * 3 * height * width);
  for (let plane = 0, at = 0; plane < count * 3; plane++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++, at++)
        data[at] = samples[
          (plane * SIDE + Math.floor((y * SIDE) / height)) * SIDE + Math.floor((x * SIDE) / width)
        ] as number;
  return { data, dims };
}

/** The K pictures of largest cosine to each caption. */
function topOf({ images, texts }: Embedded, count: number): number[][] {
  const width = texts.length / count;
  return Array.from({ length: count }, (_, q) => {
    const scores = Array.from({ length: count }, (_, i) => dot(texts, q * width, images, i * width, width));
    return [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b).slice(0, K);
  });
}

function dot(a: Float32Array, from: number, b: Float32Array, start: number, width: number): number {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += (a[from + d] as number) * (b[start + d] as number);
  return sum;
}

function least(a: Float32Array, b: Float32Array, count: number): string {
  const width = a.length / count;
  const cosines = Array.from({ length: count }, (_, i) => dot(a, i * width, b, i * width, width));
  return Math.min(...cosines).toFixed(6);
}

function recall(hits: readonly (readonly number[])[]): number {
  return mean(hits.map((mine, i) => (mine.includes(i) ? 1 : 0)));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function sigmoid(odds: number): number {
  return 1 / (1 + Math.exp(-odds));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

async function readScenes(file: string): Promise<Scenes> {
  const bytes = await readFile(file).then(gunzipSync, () => draw(file));
  const end = bytes.indexOf(0);
  const captions = bytes.toString('utf8', 0, end).split('\n');
  return { captions, samples: new Uint8Array(bytes.subarray(end + 1)) };
}

async function draw(file: string): Promise<Buffer> {
  const { drawScenes } = await import('../../demo/scenes.ts');
  const folder = join(tmpdir(), 'vlmo-bench-scenes');
  const scenes = await drawScenes(folder);
  const spec: PictureSpec = squashed([SIDE, SIDE]);
  const parts: Uint8Array[] = [Buffer.from(`${scenes.map(({ caption }) => caption).join('\n')}\0`)];
  for (const { name } of scenes) {
    const samples = new Uint8Array(VALUES);
    await decodeSamples(
      await readFile(join(folder, `${name}.png`)),
      spec,
      'fast',
      { maxPixels: 1e9 },
      samples,
    );
    parts.push(samples);
  }
  const bytes = Buffer.concat(parts);
  await writeFile(file, gzipSync(bytes, { level: 9 }));
  return bytes;
}
