import ort from 'onnxruntime-node';
import { halfToFloat } from '#float16.ts';
import { encodeModel } from '#onnx/encode.ts';
import type { Graph } from '#onnx/graph.ts';
import { BLOCK_ROWS, biasOf } from '../blocks.ts';
import type { DeviceSegments } from '../device-segments.ts';
import { longestRow } from '../dot.ts';
import { DoubtfulRows } from '../doubtful-rows.ts';
import type { Candidates, OpenTask, ScoreTask } from '../protocol.ts';
import { float32Error } from '../score-error.ts';
import { selectRows } from '../select-rows.ts';
import { type Frame, frameOf, isNear } from './frame.ts';
import { float32Graph, int8Graph } from './graphs.ts';
import { isInt8Exact } from './int8-exact.ts';
import { type QuantisedQueries, quantiseQueries } from './quantised-queries.ts';
import { type QuantisedRows, quantiseRows } from './quantised-rows.ts';

interface Segment {
  readonly session: ort.InferenceSession;
  readonly rows: number;
  readonly dimensions: number;
  /** In 8 bits, or in float32 with the length of the longest row. */
  readonly form: (Omit<QuantisedRows, 'bytes'> & { readonly frame: Frame }) | { readonly longest: number };
  readonly noBias: ort.Tensor;
}

/** Queries that are scored at once: scores of a segment stay in the cache. */
const MAX_SCORES = 2 ** 19;

/**
 * Segments on the CPU. The first pass is in 8 bits where the processor multiplies them exactly, with a bound on what it
 * rounds away: |q·v - q'·v'| is at most |q||v - v'| + |q - q'||v'|, and the queries' two halves leave nearly nothing of the
 * second term.
 */
export class CpuSegments implements DeviceSegments {
  readonly #isExact: () => Promise<boolean>;
  readonly #segments = new Map<number, Segment>();
  #frame: Frame | undefined;
  #buffers: { readonly key: string; readonly fetches: Record<string, ort.Tensor> } | undefined;

  constructor(isExact = isInt8Exact) {
    this.#isExact = isExact;
  }

  async open({ segment, halves, rows, dimensions }: OpenTask): Promise<void> {
    const noBias = new ort.Tensor('float32', new Float32Array(rows), [rows]);
    if (!(await this.#isExact())) {
      const session = await createSession(float32Graph(halfToFloat(halves), rows, dimensions));
      const form = { longest: longestRow(halves, dimensions) };
      this.#segments.set(segment, { session, rows, dimensions, noBias, form });
      return;
    }
    const own = frameOf(halves, rows, dimensions);
    const frame = this.#frame?.mean.length === dimensions && isNear(own, this.#frame) ? this.#frame : own;
    this.#frame = frame;
    const quantised = quantiseRows(halves, rows, dimensions, frame);
    const session = await createSession(int8Graph(quantised, dimensions));
    // The session has packed the bytes for itself.
    const { bytes: _, ...kept } = quantised;
    this.#segments.set(segment, { session, rows, dimensions, noBias, form: { ...kept, frame } });
  }

  async score({ parts, queries, k }: Omit<ScoreTask, 'kind'>): Promise<Candidates> {
    const first = this.#segments.get(parts[0]?.segment as number);
    const dimensions = first?.dimensions ?? queries.length;
    const count = queries.length / dimensions;
    const lists = Array.from({ length: count }, () => new DoubtfulRows(k));
    const step = Math.max(1, Math.floor(MAX_SCORES / (first?.rows ?? 1)));
    for (let at = 0; at < count; at += step) {
      const some = queries.subarray(at * dimensions, (at + step) * dimensions);
      const quantised = new Map<Frame, QuantisedQueries>();
      for (const [part, { segment: number, hidden }] of parts.entries()) {
        const segment = this.#segments.get(number);
        if (!segment) throw new Error(`No segment ${number} is open: this is a bug`);
        const task = { segment, queries: some, quantised, hidden };
        await this.#scoreSegment(task, (q, scores) =>
          selectRows(lists[at + q] as DoubtfulRows, part, scores, k),
        );
      }
    }
    return DoubtfulRows.concat(lists);
  }

  async close(number: number): Promise<void> {
    const segment = this.#segments.get(number);
    this.#segments.delete(number);
    await segment?.session.release();
  }

  async #scoreSegment(
    { segment, queries, quantised, hidden }: SegmentTask,
    visit: (q: number, scores: Parameters<typeof selectRows>[2]) => void,
  ): Promise<void> {
    const { session, rows, dimensions, form, noBias } = segment;
    const count = queries.length / dimensions;
    const blocks = rows / BLOCK_ROWS;
    const bias = hidden ? new ort.Tensor('float32', biasOf(hidden), [rows]) : noBias;
    const fetches = this.#fetches(session, count, rows);
    const [scores, maxima] = session.outputNames.map((name) => fetches[name]?.data as Float32Array) as [
      Float32Array,
      Float32Array,
    ];
    const inPart = (q: number) => ({
      scores: scores.subarray(q * rows, (q + 1) * rows),
      maxima: maxima.subarray(q * blocks, (q + 1) * blocks),
    });
    if (!('frame' in form)) {
      const feed = new ort.Tensor('float32', queries, [count, dimensions]);
      await session.run({ queries: feed, bias }, fetches);
      for (let q = 0; q < count; q++) {
        const query = queries.subarray(q * dimensions, (q + 1) * dimensions);
        const errors = new Float64Array(blocks).fill(float32Error(query, form.longest));
        visit(q, { ...inPart(q), scale: 1, offset: 0, errors });
      }
      return;
    }
    const mine = quantised.get(form.frame) ?? quantiseQueries(queries, form.frame);
    quantised.set(form.frame, mine);
    const feed = new ort.Tensor('uint8', mine.bytes, [2 * count, dimensions]);
    await session.run({ queries: feed, bias }, fetches);
    const errors = new Float64Array(blocks);
    for (let q = 0; q < count; q++) {
      const [spread, rest] = [mine.spreadLengths[q] as number, mine.rests[q] as number];
      // The product in float32 and its sums, and those in float64 that this one stands for.
      const rounding = 2 ** -21 * (spread + rest);
      const sums = 2 ** -40 * (mine.lengths[q] as number) * form.longest;
      for (let b = 0; b < blocks; b++)
        errors[b] =
          spread * (form.differences[b] as number) + (rest + rounding) * (form.lengths[b] as number) + sums;
      visit(q, { ...inPart(q), scale: mine.scales[q] as number, offset: mine.offsets[q] as number, errors });
    }
  }

  /** Where a run writes its scores: the same memory from one segment to the next. */
  #fetches(session: ort.InferenceSession, count: number, rows: number): Record<string, ort.Tensor> {
    const [scores = '', maxima = ''] = session.outputNames;
    const key = [scores, count, rows].join(' ');
    if (this.#buffers?.key !== key) {
      const blocks = rows / BLOCK_ROWS;
      const fetches = {
        [scores]: new ort.Tensor('float32', new Float32Array(count * rows), [count, rows]),
        [maxima]: new ort.Tensor('float32', new Float32Array(count * blocks), [count, blocks]),
      };
      this.#buffers = { key, fetches };
    }
    return this.#buffers.fetches;
  }
}

interface SegmentTask {
  readonly segment: Segment;
  readonly queries: Float32Array;
  readonly quantised: Map<Frame, QuantisedQueries>;
  readonly hidden: Uint8Array | null;
}

function createSession(graph: Graph): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(encodeModel(graph), {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    enableMemPattern: false,
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
    extra: { session: { 'intra_op.allow_spinning': '0' } },
  });
}
