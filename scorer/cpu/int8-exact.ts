import ort from 'onnxruntime-node';
import { encodeModel } from '#onnx/encode.ts';
import { BLOCK_ROWS } from '../blocks.ts';
import { int8Graph } from './graphs.ts';

const DIMENSIONS = 64;
/** The largest bytes there are: 255 - 128, and 127 of either sign. */
const EXPECTED = 127 * 127 * DIMENSIONS * 257;

let exact: Promise<boolean> | undefined;

/**
 * Whether 8-bit products come out exact. Without VNNI, x86 adds pairs of them in 16 bits, which the largest overflow: there
 * float32 is the better first pass.
 */
export function isInt8Exact(): Promise<boolean> {
  exact ??= tryOut();
  return exact;
}

async function tryOut(): Promise<boolean> {
  const bytes = new Int8Array(DIMENSIONS * BLOCK_ROWS).map((_, i) => (i % 2 === 0 ? 127 : -127));
  const scales = new Float32Array(BLOCK_ROWS).fill(1);
  const none = new Float64Array(1);
  const rows = { bytes, scales, differences: none, lengths: none, longest: 1 };
  const session = await ort.InferenceSession.create(encodeModel(int8Graph(rows, DIMENSIONS)), {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    graphOptimizationLevel: 'disabled',
    logSeverityLevel: 3,
  });
  try {
    const results = await session.run({
      queries: new ort.Tensor('uint8', new Uint8Array(2 * DIMENSIONS).fill(255), [2, DIMENSIONS]),
      bias: new ort.Tensor('float32', new Float32Array(BLOCK_ROWS), [BLOCK_ROWS]),
    });
    const scores = results[session.outputNames[0] ?? '']?.data as Float32Array;
    return scores.every((score, row) => score === (row % 2 === 0 ? EXPECTED : -EXPECTED));
  } finally {
    await session.release();
  }
}
