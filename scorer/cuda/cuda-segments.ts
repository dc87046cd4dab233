import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { errorMessage, VlmoError } from '#errors.ts';
import { encodeModel } from '#onnx/encode.ts';
import { makeScratchFolder } from '#scratch-folder.ts';
import { BLOCK_ROWS } from '../blocks.ts';
import type { DeviceSegments } from '../device-segments.ts';
import { longestRow } from '../dot.ts';
import { DoubtfulRows } from '../doubtful-rows.ts';
import { kthLargest } from '../kth-largest.ts';
import type { Candidates, OpenTask, ScoreTask } from '../protocol.ts';
import { buildTopKGraph, HIDDEN_HALF } from './top-k-graph.ts';

interface Segment {
  readonly session: ort.InferenceSession;
  readonly rows: number;
  readonly dimensions: number;
  /** Length of the longest row. */
  readonly longest: number;
}

/** Bytes on the device at a time: scores in 16 bits [Q, rows], or vectors in float64 [Q, k, D]. */
const MAX_BYTES = 2 ** 30;
/** Rows that are fetched beyond k at first: enough that real data seldom needs a second look. */
const MARGIN = 22;
const PREFIX = 'vlmo-segment-';

/**
 * Segments on a GPU through onnxruntime: float16 products with float32 sums, the best blocks and rows chosen there and scored
 * again in float64. Only those come back, more of them where the error of 16 bits leaves a doubt.
 */
export class CudaSegments implements DeviceSegments {
  readonly #provider: ort.InferenceSession.ExecutionProviderConfig;
  readonly #segments = new Map<number, Segment>();

  /** The graph runs on every provider; CUDA is what it was made for. */
  constructor(provider: ort.InferenceSession.ExecutionProviderConfig = 'cuda') {
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
    for (const [part, segment] of segments.entries())
      await search({ segment, part, hidden: parts[part]?.hidden ?? null, k, queries, lists });
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
  readonly hidden: Uint8Array | null;
  readonly k: number;
  /** [Q, D], and a list for each. */
  readonly queries: Float32Array;
  readonly lists: readonly DoubtfulRows[];
}

/** Fetches more rows of a segment for each query until the last one is out of the question. */
async function search(task: Search): Promise<void> {
  const { segment, part, hidden, k, queries, lists } = task;
  const { dimensions, rows } = segment;
  const errors = lists.map((_, q) => errorOf(queries, q, segment));
  let open = lists.map((_, q) => q);
  for (let limit = k + MARGIN; open.length > 0; limit *= 4) {
    const asked = Math.min(limit, rows);
    const step = Math.max(1, Math.floor(MAX_BYTES / Math.max(2 * rows, 8 * asked * dimensions)));
    const left: number[] = [];
    for (let at = 0; at < open.length; at += step) {
      const some = open.slice(at, at + step);
      const found = await run(segment, queriesOf(task, some), asked, hidden);
      some.forEach((q, i) => {
        const fetched = { found, at: i * asked, count: asked, isAll: asked === rows };
        if (!note(lists[q] as DoubtfulRows, part, fetched, errors[q] as ScoreError, k)) left.push(q);
      });
    }
    open = left;
  }
}

/** What was found for one query: `count` rows of `found` [n, 3] from `at` on. */
interface Fetched {
  readonly found: Float64Array;
  readonly at: number;
  readonly count: number;
  /** Whether the segment has no more. */
  readonly isAll: boolean;
}

let products = new Float64Array(256);

/** Pushes what was found for a query, if nothing that was not can be among the k best. */
function note(
  list: DoubtfulRows,
  part: number,
  { found, at, count, isAll }: Fetched,
  { fixed, exact }: ScoreError,
  k: number,
): boolean {
  // Hidden rows come last.
  let shown = count;
  while (shown > 0 && (found[3 * (at + shown) - 2] as number) < HIDDEN_HALF / 2) shown--;
  if (shown >= k) {
    if (products.length < shown) products = new Float64Array(2 * shown);
    for (let n = 0; n < shown; n++) products[n] = found[3 * (at + n) + 2] as number;
    list.raise(kthLargest(products, shown, k) - exact);
  }
  const last = found[3 * (at + count) - 2] as number;
  if (!isAll && shown === count && last + fixed + HALF_UNIT * Math.abs(last) >= list.least) return false;
  for (let n = at; n < at + shown; n++)
    list.push(part, found[3 * n] as number, found[3 * n + 2] as number, exact);
  return true;
}

/** How far a score may be from the product in float64, summed up one by one. */
interface ScoreError {
  /** In 16 bits, and `HALF_UNIT` of the score. */
  readonly fixed: number;
  /** In float64, summed up in another order. */
  readonly exact: number;
}

const HALF_UNIT = 2 ** -10.99;

/**
 * In 16 bits the query is rounded, then the sum and, where a library adds it in parts, these too. In float64 a sum of n
 * products is off by at most n units of 2^-53 of the lengths, in either order.
 */
function errorOf(queries: Float32Array, q: number, { longest, dimensions }: Segment): ScoreError {
  let squares = 0;
  for (let i = q * dimensions; i < (q + 1) * dimensions; i++)
    squares += (queries[i] as number) * (queries[i] as number);
  const whole = Math.sqrt(squares) * longest;
  const float32 = (dimensions + 2) * 2 ** -24 * 1.01;
  const rounded = 2 ** -11 * whole + Math.sqrt(dimensions) * 2 ** -25 * longest;
  const fixed = rounded + 2 ** -11 * whole + float32 * whole + 2 ** -24;
  return { fixed, exact: (dimensions + 2) * 2 ** -52 * whole };
}

function queriesOf({ segment: { dimensions }, queries }: Search, chosen: readonly number[]): Float32Array {
  if (chosen.length * dimensions === queries.length) return queries;
  const some = new Float32Array(chosen.length * dimensions);
  chosen.forEach((q, i) => {
    some.set(queries.subarray(q * dimensions, (q + 1) * dimensions), i * dimensions);
  });
  return some;
}

/** The best rows of each query in 16 bits, [Q, k, 3]: row, score in 16 bits, product in float64. */
async function run(
  { session, rows, dimensions }: Segment,
  queries: Float32Array,
  k: number,
  hidden: Uint8Array | null,
): Promise<Float64Array> {
  const results = await session.run({
    queries: new ort.Tensor('float32', queries, [queries.length / dimensions, dimensions]),
    k: integer(k),
    kBlocks: integer(Math.min(k, rows / BLOCK_ROWS)),
    mask: hidden
      ? new ort.Tensor('uint8', hidden, [rows / BLOCK_ROWS, BLOCK_ROWS])
      : new ort.Tensor('uint8', new Uint8Array(1), [1, 1]),
  });
  return results[session.outputNames[0] as string]?.data as Float64Array;
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
