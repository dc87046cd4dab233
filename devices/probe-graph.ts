import { readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { encodeModel } from '#onnx/encode.ts';
import { GraphBuilder, type Value } from '#onnx/graph.ts';

/** Products one after the other, so that computing outweighs handing over. */
const STEPS = 8;
/** Sides of the matrices: what is slow with one is not tried with the next. */
const SIZES = [64, 128, 512, 1024] as const;
/** Longest that a run may take for the next size to be worth the wait; a GPU needs some milliseconds for any. */
const SLOW_MS = 20;

type Precision = 'float32' | 'float16';
const ELEMENT_NUMBER = { float32: 1, float16: 10 } as const;

/**
 * A ... A a with A = a bᵀ, [size, size]: only vectors are handed over. No node may run anywhere but on the provider.
 *
 *     a [size, 1], b [1, size] -> output [size, 1]
 */
async function createChain(
  provider: string,
  precision: Precision,
  size: number,
): Promise<ort.InferenceSession> {
  const graph = new GraphBuilder();
  const cast = (value: Value): Value => graph.node('Cast', [value], { to: ELEMENT_NUMBER[precision] });
  const a = cast(graph.input('a', 'float32', [size, 1]));
  const b = cast(graph.input('b', 'float32', [1, size]));
  const first = graph.node('MatMul', [a, b]);
  let power = first;
  for (let step = 0; step < STEPS; step++) power = graph.node('MatMul', [power, first]);
  graph.node('Cast', [graph.node('MatMul', [power, a])], { to: ELEMENT_NUMBER.float32 }, '', 'output');
  const model = encodeModel(graph.finish([{ name: 'output', type: 'float32', dims: [size, 1] }]));
  return ort.InferenceSession.create(model, {
    executionProviders: [provider],
    logSeverityLevel: 3,
    extra: provider === 'cpu' ? {} : { session: { disable_cpu_ep_fallback: '1' } },
  });
}

/** Milliseconds of one run. With bᵀ a = 1 every power of A is A, and the output is a, exactly in any precision. */
async function runChain(session: ort.InferenceSession, size: number): Promise<number> {
  const a = Float32Array.from({ length: size }, (_, i) => (i % 7) + 1);
  const b = Float32Array.from({ length: size }, (_, i) => (i === 0 ? 1 : 0));
  const feeds = { a: new ort.Tensor('float32', a, [size, 1]), b: new ort.Tensor('float32', b, [1, size]) };
  const start = performance.now();
  const { output } = await session.run(feeds);
  const milliseconds = performance.now() - start;
  const values = output?.data as Float32Array;
  const wrong = a.findIndex((value, i) => values[i] !== value);
  if (wrong >= 0) throw new Error(`a product came out as ${values[wrong]} where ${a[wrong]} is right`);
  return milliseconds;
}

/** Throws where the provider cannot compute in this precision. */
export async function computeOnce(provider: string, precision: Precision): Promise<void> {
  const session = await createChain(provider, precision, SIZES[0]);
  await runChain(session, SIZES[0]);
  await session.release();
}

/** Billions of operations a second on float32 products. */
export async function gflopsOf(provider: string): Promise<number> {
  let gflops = 0;
  for (const size of SIZES) {
    const milliseconds = await bestOf(provider, size);
    gflops = (2 * STEPS * size ** 3) / (milliseconds * 1e6);
    if (milliseconds > SLOW_MS) break;
  }
  return gflops;
}

async function bestOf(provider: string, size: number): Promise<number> {
  const session = await createChain(provider, 'float32', size);
  // The first run compiles.
  await runChain(session, size);
  const best = Math.min(await runChain(session, size), await runChain(session, size));
  await session.release();
  return best;
}

/** The Vulkan drivers that this process has loaded, as paths; empty where the system does not tell. */
export function vulkanDrivers(): string[] {
  if (process.platform !== 'linux') return [];
  const paths = readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .map((line) => line.split(/\s+/)[5] ?? '');
  const isDriver = /(libvk_|libvulkan_|libGLX_nvidia|libnvidia-vulkan)/;
  return [...new Set(paths)].filter((path) => isDriver.test(path));
}
