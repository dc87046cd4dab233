import ort from 'onnxruntime-node';
import { cut } from '#batches.ts';
import { inTurn } from '#devices/gpu-lock.ts';
import type { Provider } from '#devices/provider.ts';
import { VlmoError } from '#errors.ts';
import type { GraphTensor } from '#onnx/read-graph.ts';
import { floatTensor, unitRows, wholeTensor } from './tower-tensors.ts';
import type { Tower } from './towers.ts';

export interface TowerOptions {
  /** Threads that one run computes on. */
  readonly threads: number;
  readonly provider: Provider;
  readonly card?: number | undefined;
  /** A picture, [C, H, W]: what a graph of both sides is given where only texts are asked. */
  readonly picture: readonly [number, number, number];
}

/** A batch for one side: pictures [B, C, H, W], normalised, or token ids [B, T] with a mask of those that are no padding. */
export type TowerBatch =
  | {
      readonly kind: 'image';
      readonly pixels: Float32Array;
      readonly dims: readonly [number, number, number];
    }
  | { readonly kind: 'text'; readonly rows: readonly TokenRow[] };

/** All rows of a batch are of one length. */
export interface TokenRow {
  readonly ids: Int32Array;
  readonly mask: Int32Array;
}

/** A tower that is ready to run, on the calling thread. */
export interface TowerSession extends AsyncDisposable {
  /** Vectors of unit length [B, D], in runs of as many as the graph takes. */
  run(batch: TowerBatch): Promise<Float32Array>;
}

/** Throws MODEL_INVALID for a graph that onnxruntime does not take. */
export async function openTowerSession(tower: Tower, options: TowerOptions): Promise<TowerSession> {
  const { provider } = options;
  const session = await inTurn(provider, () => createSession(tower, options));
  return {
    async run(batch) {
      const count = countOf(batch);
      const runs: Float32Array[] = [];
      for (const places of cut([...Array(count).keys()], runSize(tower, count))) {
        const feeds = feedsOf(tower, takeOf(batch, places), options.picture);
        const found = await inTurn(provider, () => session.run(feeds, [tower.output.name]));
        const tensor = found[tower.output.name] as ort.Tensor;
        const rows = tensor.dims[0] ?? places.length;
        const vectors = unitRows(tensor, rows, tower.kind === 'image' ? 'a picture' : 'a text');
        runs.push(vectors.subarray(0, (vectors.length / rows) * places.length));
      }
      return joined(runs);
    },
    [Symbol.asyncDispose]: () => inTurn(provider, () => session.release()),
  };
}

async function createSession(
  { file }: Tower,
  { threads, provider, card }: TowerOptions,
): Promise<ort.InferenceSession> {
  try {
    return await ort.InferenceSession.create(file, {
      executionProviders: [card === undefined ? provider : { name: provider, deviceId: card }],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableMemPattern: false,
      logSeverityLevel: 3,
      // A waiting thread that spins takes the core from decoding.
      extra: { session: { 'intra_op.allow_spinning': '0' } },
    });
  } catch (error) {
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot open graph "${file}": expected one that onnxruntime runs, received an error (${(error as Error).message})`,
      { cause: error },
    );
  }
}

/** A fixed first axis takes so many and no others; what decides scales of its own is run alone. */
function runSize({ input, isAlone }: Tower, count: number): number {
  const [axis] = input.dims;
  return typeof axis === 'number' ? axis : isAlone ? 1 : count;
}

function countOf(batch: TowerBatch): number {
  if (batch.kind === 'text') return batch.rows.length;
  return batch.pixels.length / batch.dims.reduce((product, size) => product * size, 1);
}

function takeOf(batch: TowerBatch, places: readonly number[]): TowerBatch {
  const [first = 0] = places;
  if (batch.kind === 'text') return { ...batch, rows: batch.rows.slice(first, first + places.length) };
  const values = batch.dims.reduce((product, size) => product * size, 1);
  return { ...batch, pixels: batch.pixels.subarray(first * values, (first + places.length) * values) };
}

function feedsOf(
  { input, others }: Tower,
  batch: TowerBatch,
  picture: readonly number[],
): Record<string, ort.Tensor> {
  const [axis] = input.dims;
  const rows = typeof axis === 'number' ? axis : countOf(batch);
  const feeds: Record<string, ort.Tensor> = {};
  if (batch.kind === 'image') {
    const values = batch.dims.reduce((product, size) => product * size, 1);
    feeds[input.name] = floatTensor(input, filled(batch.pixels, rows * values), [rows, ...batch.dims]);
  } else {
    const length = batch.rows[0]?.ids.length ?? 1;
    const whole = (values: readonly Int32Array[]): Int32Array => {
      const all = new Int32Array(rows * length);
      for (let i = 0; i < rows; i++)
        all.set(values[Math.min(i, values.length - 1)] as Int32Array, i * length);
      return all;
    };
    feeds[input.name] = wholeTensor(input, whole(batch.rows.map(({ ids }) => ids)), [rows, length]);
    const given = { attention_mask: batch.rows.map(({ mask }) => mask) } as Record<string, Int32Array[]>;
    given.position_ids = [Int32Array.from({ length }, (_, i) => i)];
    given.token_type_ids = [new Int32Array(length)];
    for (const other of others) {
      const values = given[other.name];
      if (values) feeds[other.name] = wholeTensor(other, whole(values), [rows, length]);
    }
  }
  for (const other of others) feeds[other.name] ??= unused(other, input, rows, picture);
  return feeds;
}

/** What a graph of both sides takes for the one that is not asked: one row of zeros, or as many where it wants that. */
function unused(
  other: GraphTensor,
  { dims: [axis] }: GraphTensor,
  rows: number,
  picture: readonly number[],
): ort.Tensor {
  const dims = other.dims.map((size, i) => {
    if (typeof size === 'number') return size;
    if (i === 0) return size !== '' && size === axis ? rows : 1;
    return other.name === 'pixel_values' ? (picture[i - 1] ?? 1) : UNUSED_TOKENS;
  });
  const count = dims.reduce((product, size) => product * size, 1);
  if (other.name === 'pixel_values') return floatTensor(other, new Float32Array(count), dims);
  return wholeTensor(other, new Int32Array(count).fill(other.name === 'attention_mask' ? 1 : 0), dims);
}

/** Of the text that is not asked. */
const UNUSED_TOKENS = 8;

function filled(values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values;
  const all = new Float32Array(length);
  all.set(values);
  return all;
}

function joined(runs: readonly Float32Array[]): Float32Array {
  if (runs.length === 1) return runs[0] as Float32Array;
  const all = new Float32Array(runs.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const run of runs) {
    all.set(run, at);
    at += run.length;
  }
  return all;
}
