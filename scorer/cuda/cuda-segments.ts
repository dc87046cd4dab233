import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { errorMessage, VlmoError } from '#errors.ts';
import { floatToHalf, halfToFloat } from '#float16.ts';
import { encodeModel } from '#onnx/encode.ts';
import { makeScratchFolder } from '#scratch-folder.ts';
import { BLOCK_ROWS } from '../blocks.ts';
import type { DeviceSegments } from '../device-segments.ts';
import { longestRow } from '../dot.ts';
import { DoubtfulRows } from '../doubtful-rows.ts';
import type { Candidates, OpenTask, ScoreTask } from '../protocol.ts';
import { float32Error } from '../score-error.ts';
import { buildTopKGraph, HIDDEN_HALF } from './top-k-graph.ts';

interface Segment {
  readonly session: ort.InferenceSession;
  readonly rows: number;
  readonly dimensions: number;
  /** Length of the longest row. */
  readonly longest: number;
}

/** Scores that the device holds at a time, [Q, rows] in 16 bits. */
const MAX_SCORES = 2 ** 29;
/** Rows that are fetched beyond k at first: enough that real data seldom needs a second look. */
const MARGIN = 22;
const PREFIX = 'vlmo-segment-';

/**
 * Segments on a GPU through onnxruntime: float16 products with float32 sums, and the best blocks and rows chosen there. Only
 * those come back, more of them where the error of 16 bits leaves a doubt.
 */
export class CudaSegments implements DeviceSegments {
  readonly #provider: string;
  readonly #segments = new Map<number, Segment>();

  /** The graph runs on every provider; CUDA is what it was made for. */
  constructor(provider = 'cuda') {
    this.#provider = provider;
  }

  async open({ segment, halves, rows, dimensions }: OpenTask): Promise<void> {
    const session = await this.#load(halves, rows, dimensions);
    const opened = { session, rows, dimensions, longest: longestRow(halves, dimensions) };
    // What is too large for the device shows when it is used first.
    await run(opened, new Float32Array(dimensions), 1, null);
    this.#segments.set(segment, opened);
  }

  /** onnxruntime takes what is larger than a protobuf from a file, which is gone when it is loaded. */
  async #load(halves: Uint16Array, rows: number, dimensions: number): Promise<ort.InferenceSession> {
    const folder = await makeScratchFolder(tmpdir(), PREFIX);
    const location = 'vectors';
    try {
      await writeVectors(join(folder, location), halves);
      return await ort.InferenceSession.create(encodeModel(buildTopKGraph({ rows, dimensions, location })), {
        executionProviders: [this.#provider],
        enableMemPattern: false,
        graphOptimizationLevel: 'disabled',
        logSeverityLevel: 3,
        extra: { session: { model_external_initializers_file_folder_path: folder, disable_prepacking: '1' } },
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async score({ parts, queries, k }: Omit<ScoreTask, 'kind'>): Promise<Candidates> {
    const segments = parts.map(({ segment: number }) => {
      const segment = this.#segments.get(number);
      if (!segment) throw new Error(`No segment ${number} is open: this is a bug`);
      return segment;
    });
    const dimensions = segments[0]?.dimensions ?? queries.length;
    const lists = Array.from({ length: queries.length / dimensions }, () => new DoubtfulRows(k));
    for (const [part, segment] of segments.entries()) {
      const bias = parts[part]?.bias ?? null;
      const step = Math.max(1, Math.floor(MAX_SCORES / segment.rows));
      for (let at = 0; at < lists.length; at += step) {
        const some = lists.slice(at, at + step);
        await search({ segment, part, bias, k }, queries.subarray(at * dimensions), some);
      }
    }
    return DoubtfulRows.concat(lists);
  }

  async close(number: number): Promise<void> {
    const segment = this.#segments.get(number);
    this.#segments.delete(number);
    await segment?.session.release();
  }
}

interface Search {
  readonly segment: Segment;
  readonly part: number;
  readonly bias: Float32Array | null;
  readonly k: number;
}

/** Fetches more rows of a segment for each query until the last one is out of the question. */
async function search(
  { segment, part, bias, k }: Search,
  queries: Float32Array,
  lists: readonly DoubtfulRows[],
): Promise<void> {
  const { dimensions, rows, longest } = segment;
  let open = lists.map((list, q) => ({
    list,
    query: queries.subarray(q * dimensions, (q + 1) * dimensions),
  }));
  for (let limit = k + MARGIN; open.length > 0; limit *= 4) {
    const some = new Float32Array(open.length * dimensions);
    open.forEach(({ query }, i) => {
      some.set(query, i * dimensions);
    });
    const found = await run(segment, some, limit, bias);
    open = open.filter(({ list, query }, i) => {
      const error = errorOf(query, longest);
      const values = found.values.subarray(i * found.k, (i + 1) * found.k);
      // The k-th of them is surely this good.
      if (found.k >= k) list.raise((values[k - 1] as number) - error(values[k - 1] as number));
      const last = values[found.k - 1] as number;
      const isWhole = found.k === rows || last < HIDDEN_HALF / 2 || last + error(last) < list.least;
      if (!isWhole) return true;
      for (let n = 0; n < found.k; n++) {
        const value = values[n] as number;
        if (value < HIDDEN_HALF / 2 || value + error(value) < list.least) break;
        list.push(part, found.rows[i * found.k + n] as number, value, error(value));
      }
      return false;
    });
  }
}

/**
 * How far a score may be from the product in float64: the query is rounded to 16 bits, the sum and, where a library adds it
 * in parts, these too.
 */
function errorOf(query: Float32Array, longest: number): (value: number) => number {
  const rounded = halfToFloat(floatToHalf(query));
  const rest = Math.hypot(...query.map((value, i) => value - (rounded[i] as number)));
  const whole = Math.hypot(...query) * longest;
  const fixed = rest * longest + 2 ** -11 * whole + float32Error(query, longest) + 2 ** -24;
  return (value) => fixed + 2 ** -10.99 * Math.abs(value);
}

interface Fetched {
  readonly k: number;
  /** [Q, k], best first. */
  readonly values: Float32Array;
  readonly rows: Int32Array;
}

async function run(
  { session, rows, dimensions }: Segment,
  queries: Float32Array,
  asked: number,
  bias: Float32Array | null,
): Promise<Fetched> {
  const count = queries.length / dimensions;
  const k = Math.min(asked, rows);
  const kBlocks = Math.min(k, rows / BLOCK_ROWS);
  const results = await session.run({
    queries: new ort.Tensor('float32', queries, [count, dimensions]),
    k: integer(k),
    kBlocks: integer(kBlocks),
    bias: bias
      ? new ort.Tensor('float32', bias, [rows / BLOCK_ROWS, BLOCK_ROWS])
      : new ort.Tensor('float32', new Float32Array(1), [1, 1]),
  });
  const [values, places, blocks] = session.outputNames.map((name) => results[name]?.data);
  // 64-bit numbers, little-endian, of which the lower half is enough.
  const words = (data: unknown): Int32Array => {
    const { buffer, byteOffset, length } = data as BigInt64Array;
    return new Int32Array(buffer, byteOffset, 2 * length);
  };
  const [placeWords, blockWords] = [words(places), words(blocks)];
  const found = new Int32Array(count * k);
  for (let i = 0; i < found.length; i++) {
    const place = placeWords[2 * i] as number;
    const block = blockWords[2 * (Math.floor(i / k) * kBlocks + Math.floor(place / BLOCK_ROWS))] as number;
    found[i] = block * BLOCK_ROWS + (place % BLOCK_ROWS);
  }
  return { k, values: values as Float32Array, rows: found };
}

function integer(value: number): ort.Tensor {
  return new ort.Tensor('int64', BigInt64Array.of(BigInt(value)), [1]);
}

async function writeVectors(path: string, halves: Uint16Array): Promise<void> {
  try {
    await writeFile(path, new Uint8Array(halves.buffer, halves.byteOffset, halves.byteLength), {
      mode: 0o600,
    });
  } catch (error) {
    const hint = 'set TMPDIR to a folder with room for the vectors';
    throw new VlmoError(
      'SCORING_FAILED',
      `Cannot write vectors to "${path}": expected room for them, received ${errorMessage(error)}; ${hint}`,
      { cause: error },
    );
  }
}
