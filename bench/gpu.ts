import { parseArgs } from 'node:util';
import { type Device, type DeviceName, resolveDevice } from '#devices/device.ts';
import { floatToHalf } from '#float16.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { ResidentVectors } from '#scorer/resident-vectors.ts';
import { type Found, score } from '#scorer/score.ts';
import type { AddressedVectors, Filter } from '#store/contract.ts';
import { idFilter } from '#store/filter.ts';
import { createRandom, randomBaseModel } from './random-model.ts';
import { median } from './report.ts';

const K = 10;
const ROUNDS = 15;

/**
 * A device against the CPU of the same machine: exact search over a corpus that stays on it, and the model. Needs neither
 * Redis nor LanceDB.
 */
export async function gpu(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      device: { type: 'string', default: 'auto' },
      rows: { type: 'string', default: '100000,1000000' },
      dimensions: { type: 'string', default: '768' },
      model: { type: 'string', default: 'base' },
      batches: { type: 'string', default: '1,8,32' },
    },
  });
  const device = await resolveDevice(values.device as DeviceName);
  console.log(`device ${device.provider}: ${device.reason}; 16-bit floats ${device.hasHalf ? 'yes' : 'no'}`);
  const devices = device.provider === 'cpu' ? [device] : [device, await resolveDevice('cpu')];
  const dimensions = Number(values.dimensions);
  for (const rows of numbers(values.rows)) await scoring(devices, rows, dimensions);
  if (values.model === 'none') return;
  const model = values.model === 'base' ? await randomBaseModel() : values.model;
  for (const each of devices) await embedding(each, model, numbers(values.batches));
}

/** The k best for 1, 16 and 64 queries, with and without a filter that lets a tenth through. */
async function scoring(devices: readonly Device[], rows: number, dimensions: number): Promise<void> {
  const gigabytes = (2 * rows * dimensions) / 1e9;
  console.log(
    `\n${rows.toLocaleString('en-US')} x ${dimensions} float16, ${gigabytes.toFixed(2)} GB, k = ${K}`,
  );
  const answers: Found[][][] = [];
  for (const device of devices) {
    const started = performance.now();
    await using corpus = new ResidentVectors(randomTable(rows, dimensions), { device, dimensions });
    const all = await corpus.all();
    const loaded = (performance.now() - started) / 1000;
    console.log(`  ${device.provider}: loaded in ${loaded.toFixed(1)} s, ${all.parts.length} segments`);
    const tenth = await corpus.matching(idFilter(['every tenth']));
    for (const [what, view] of [
      ['every row', all],
      ['a tenth of the rows', tenth],
    ] as const) {
      for (const count of [1, 16, 64]) {
        const queries = randomUnit(count, dimensions, 7);
        const run = (): Promise<Found[][]> => score(view, corpus.tail, queries, dimensions, K);
        if (what === 'every row') answers.push(await run());
        const ms = await time(run);
        const rate = `${((1000 * count) / ms).toFixed(0)} queries/s`;
        console.log(
          `    ${what}, ${count} at once: ${ms.toFixed(2)} ms, ${rate}, ${(gigabytes / (ms / 1000)).toFixed(0)} GB/s`,
        );
      }
    }
  }
  const [mine = [], theirs = []] = [answers.slice(0, 3), answers.slice(3)];
  if (theirs.length > 0)
    console.log(`  same ids and order on both: ${JSON.stringify(mine) === JSON.stringify(theirs)}`);
}

/** Pictures and texts a second, of random input that is ready. */
async function embedding(device: Device, model: string, batches: readonly number[]): Promise<void> {
  await using vlmo = await loadVlmo(model, {
    provider: device.provider,
    graphs: ['image', 'text', 'fusion'],
  });
  const { num_channels: channels, image_size: size } = vlmo.config;
  console.log(`\n${vlmo.folder.name} on ${device.provider}`);
  for (const batch of batches) {
    const data = new Float32Array(batch * pictureValues(vlmo.config)).map((_, i) => Math.sin(i));
    const pixels = { data, dims: [batch, channels, ...size] };
    const texts = Array.from({ length: batch }, (_, i) => `w1 w2 w3 w4 w5 w6 w7 w${i}`);
    const image = await time(() => vlmo.embedImages(pixels));
    const text = await time(() => vlmo.embedTexts(texts));
    const match = await time(() => vlmo.match(pixels, texts));
    const rate = (ms: number): string => `${((1000 * batch) / ms).toFixed(1)}/s`;
    console.log(
      `  batches of ${batch}: pictures ${rate(image)}, texts of 10 tokens ${rate(text)}, pairs ${rate(match)}`,
    );
  }
}

/** The middle of some runs, ms; fewer where one takes long. */
async function time(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  const until = performance.now() + 4000;
  for (let round = 0; round <= ROUNDS && (round < 3 || performance.now() < until); round++) {
    const started = performance.now();
    await run();
    if (round > 0) times.push(performance.now() - started);
  }
  return median(times);
}

const BATCH_ROWS = 8192;

/** A table that is made as it is read: no two rows alike, and the same ones each time. */
function randomTable(rows: number, dimensions: number) {
  const pool = floatToHalf(randomUnit(BATCH_ROWS, dimensions, 1));
  async function* vectors(): AsyncGenerator<AddressedVectors> {
    const random = createRandom(2);
    for (let first = 0; first < rows; first += BATCH_ROWS) {
      const count = Math.min(BATCH_ROWS, rows - first);
      const signs = Uint16Array.from({ length: dimensions }, () => (random() < 0.5 ? 0x8000 : 0));
      const halves = new Uint16Array(count * dimensions);
      for (let row = 0, at = 0; row < count; row++)
        for (let i = 0; i < dimensions; i++, at++) halves[at] = (pool[at] as number) ^ (signs[i] as number);
      const addresses = BigUint64Array.from({ length: count }, (_, i) => BigInt(first + i));
      yield { addresses, ids: Array.from(addresses, String), halves };
    }
  }
  return {
    version: async () => 1,
    addresses: async (where?: Filter) => {
      const step = where === undefined ? 1 : 10;
      return BigUint64Array.from({ length: Math.ceil(rows / step) }, (_, i) => BigInt(i * step));
    },
    async *vectors(addresses?: BigUint64Array): AsyncGenerator<AddressedVectors> {
      const wanted = addresses && new Set(addresses);
      for await (const batch of vectors()) {
        if (!wanted) yield batch;
        else
          for (const [i, address] of batch.addresses.entries())
            if (wanted.has(address))
              yield {
                addresses: BigUint64Array.of(address),
                ids: [batch.ids[i] as string],
                halves: batch.halves.slice(i * dimensions, (i + 1) * dimensions),
              };
      }
    },
  };
}

function randomUnit(count: number, dimensions: number, seed: number): Float32Array {
  const random = createRandom(seed);
  const vectors = Float32Array.from(
    { length: count * dimensions },
    () => random() + random() + random() - 1.5,
  );
  for (let row = 0; row < count; row++) {
    const vector = vectors.subarray(row * dimensions, (row + 1) * dimensions);
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] as number) / length;
  }
  return vectors;
}

function numbers(text: string): number[] {
  return text.split(',').map(Number);
}
