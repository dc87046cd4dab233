import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { encodeModel } from '#onnx/encode.ts';
import { type Graph, GraphBuilder, type Value } from '#onnx/graph.ts';
import { readProfile } from './profile.ts';

/** What a provider does with a block as the model has it, and how fast. */
export interface BlockReport {
  /** How often each provider ran a node of the block: what is not on the one that was asked for shows here. */
  readonly nodes: Readonly<Record<string, number>>;
  readonly tokens: number;
  readonly width: number;
  readonly milliseconds: number;
  readonly gflops: number;
  /** Read and written by simple operations on values that no cache holds. */
  readonly gigabytesPerSecond: number;
}

interface BlockSize {
  readonly batch: number;
  readonly tokens: number;
  readonly width: number;
  readonly heads: number;
}

const SMALL: BlockSize = { batch: 1, tokens: 50, width: 128, heads: 4 };
/** Eight pictures of VLMo-base. */
const LARGE: BlockSize = { batch: 8, tokens: 197, width: 768, heads: 12 };
const [SMALL_ROWS, LARGE_ROWS, COLUMNS, PASSES] = [1024, 65_536, 256, 8];
/** Longest that a small run may take for a large one to be worth the wait. */
const SLOW_MS = 20;

/** Runs a transformer block and a pass through memory, large ones where small ones go fast. */
export async function measureBlock(provider: string): Promise<BlockReport> {
  const nodes = await profileBlock(provider);
  const first = await timeBlock(provider, SMALL);
  const size = first > SLOW_MS ? SMALL : LARGE;
  const milliseconds = size === SMALL ? first : await timeBlock(provider, LARGE);
  return {
    nodes,
    tokens: size.batch * size.tokens,
    width: size.width,
    milliseconds,
    gflops: flopsOf(size) / (milliseconds * 1e6),
    gigabytesPerSecond: await measureMemory(provider),
  };
}

/** LayerNorm, attention and the feed-forward layer with their sums, as in `network.ts`: [B, N, D] -> [B, N, D]. */
function buildBlock({ batch, tokens, width, heads }: BlockSize): Graph {
  const graph = new GraphBuilder();
  const random = (name: string, dims: readonly number[]): Value => {
    const length = dims.reduce((product, side) => product * side, 1);
    const data = Float32Array.from({ length }, (_, i) => (((i * 48_271) % 65_521) / 65_521 - 0.5) / 10);
    return graph.constant({ name, type: 'float32', dims, data: new Uint8Array(data.buffer) });
  };
  const shape = (name: string, dims: readonly number[]): Value =>
    graph.constant({
      name,
      type: 'int64',
      dims: [dims.length],
      data: new Uint8Array(BigInt64Array.from(dims, BigInt).buffer),
    });
  const [rows, items] = [shape('rows', [batch * tokens, width]), shape('items', [batch, tokens, width])];
  const linear = (x: Value, name: string, from: number, to: number): Value =>
    graph.node('Gemm', [x, random(`${name}.weight`, [to, from]), random(`${name}.bias`, [to])], {
      transB: 1,
    });
  const norm = (x: Value, name: string): Value =>
    graph.node('LayerNormalization', [x, random(`${name}.weight`, [width]), random(`${name}.bias`, [width])]);
  const x = graph.node('Reshape', [graph.input('input', 'float32', [batch, tokens, width]), rows]);
  const y = norm(x, 'norm1');
  const [q, k, v] = ['q', 'k', 'v'].map((name) =>
    graph.node('Reshape', [linear(y, name, width, width), items]),
  );
  const mixed = graph.node('MultiHeadAttention', [q, k, v], { num_heads: heads }, 'com.microsoft');
  const attended = linear(graph.node('Reshape', [mixed, rows]), 'proj', width, width);
  const middle = graph.node('Add', [x, attended]);
  const hidden = graph.node('Gelu', [linear(norm(middle, 'norm2'), 'fc1', width, 4 * width)]);
  const out = graph.node('Add', [middle, linear(hidden, 'fc2', 4 * width, width)]);
  graph.node('Reshape', [out, items], {}, '', 'output');
  return graph.finish([{ name: 'output', type: 'float32', dims: [batch, tokens, width] }]);
}

/** Operations of a block: a multiplication and an addition each. */
function flopsOf({ batch, tokens, width }: BlockSize): number {
  return 2 * batch * (12 * tokens * width ** 2 + 2 * tokens ** 2 * width);
}

function create(provider: string, graph: Graph, profileFilePrefix?: string): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(encodeModel(graph), {
    executionProviders: [provider],
    logSeverityLevel: 3,
    ...(profileFilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix }),
  });
}

function blockInput({ batch, tokens, width }: BlockSize): Record<string, ort.Tensor> {
  const data = Float32Array.from({ length: batch * tokens * width }, (_, i) => Math.sin(i));
  return { input: new ort.Tensor('float32', data, [batch, tokens, width]) };
}

async function profileBlock(provider: string): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-probe-'));
  try {
    const session = await create(provider, buildBlock(SMALL), join(folder, 'profile'));
    await session.run(blockInput(SMALL));
    session.endProfiling();
    await session.release();
    const counts: Record<string, number> = {};
    for (const node of await readProfile(join(folder, 'profile')))
      counts[node.provider] = (counts[node.provider] ?? 0) + 1;
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function timeBlock(provider: string, size: BlockSize): Promise<number> {
  const session = await create(provider, buildBlock(size));
  const best = await bestTime(session, blockInput(size));
  await session.release();
  return best;
}

/** Gigabytes a second of PASSES products of a large tensor with a number, one after the other. */
async function measureMemory(provider: string): Promise<number> {
  const small = await timePasses(provider, SMALL_ROWS);
  const [rows, milliseconds] =
    small > SLOW_MS ? [SMALL_ROWS, small] : [LARGE_ROWS, await timePasses(provider, LARGE_ROWS)];
  // It is written once, read and written by each pass, and read once more.
  return ((2 * PASSES + 2) * rows * COLUMNS * Float32Array.BYTES_PER_ELEMENT) / (milliseconds * 1e6);
}

async function timePasses(provider: string, rows: number): Promise<number> {
  const graph = new GraphBuilder();
  const number = graph.input('input', 'float32', [1, 1]);
  const sides = graph.input('sides', 'int64', [2]);
  let values = graph.node('Expand', [number, sides]);
  for (let pass = 0; pass < PASSES; pass++) values = graph.node('Mul', [values, number]);
  graph.node('ReduceMax', [values], { keepdims: 0 }, '', 'output');
  const session = await create(provider, graph.finish([{ name: 'output', type: 'float32', dims: [] }]));
  const best = await bestTime(session, {
    input: new ort.Tensor('float32', Float32Array.of(1), [1, 1]),
    sides: new ort.Tensor('int64', BigInt64Array.of(BigInt(rows), BigInt(COLUMNS)), [2]),
  });
  await session.release();
  return best;
}

/** Milliseconds of the faster of two runs; the one before them compiles. */
async function bestTime(session: ort.InferenceSession, feeds: Record<string, ort.Tensor>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3; run++) {
    const start = performance.now();
    await session.run(feeds);
    if (run > 0) best = Math.min(best, performance.now() - start);
  }
  return best;
}
