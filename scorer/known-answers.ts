import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { compareAnswers } from '#devices/known-answers.ts';
import type { Provider } from '#devices/provider.ts';
import { floatToHalf, halfToFloat } from '#float16.ts';
import { makeScratchFolder } from '#scratch-folder.ts';
import type { Backend } from './backend.ts';
import { createBackends, segmentType } from './backends.ts';
import type { Scored } from './protocol.ts';
import { dot, scoreError } from './score.ts';
import { createSegmentFile } from './segment-file.ts';
import { BLOCK_ROWS, HIDDEN } from './top-k-graph.ts';

/** Whole blocks, so that every lane of a workgroup has rows in every turn of its loop. */
const ROWS = 3 * BLOCK_ROWS;
/** More than a kernel takes at once. */
const QUERIES = 5;
/** No table has a segment of this number. */
const SEGMENT = -1;
/** What the probe tries: VLMo-base, and a length that fills no vector of a kernel. */
const PROBED_DIMENSIONS = [768, 100] as const;

const proofs = new Map<string, Promise<number>>();

/**
 * Proves a backend on rows that are known, with a filter and without: once a process, device and shape. Gives the largest
 * difference of its scores from products in float64. Throws DEVICE_WRONG beyond what sums in float32 explain.
 */
export function proveBackend(backend: Backend, provider: Provider, dimensions: number): Promise<number> {
  const key = `${provider} ${dimensions}`;
  const proof = proofs.get(key) ?? prove(backend, provider, dimensions);
  proofs.set(key, proof);
  // What could not be tried may be tried again.
  proof.catch(() => proofs.delete(key));
  return proof;
}

/** The same for the probe, on backends of its own. */
export async function knownAnswers(provider: Provider): Promise<number> {
  const backends = createBackends(provider);
  try {
    let largest = 0;
    for (const dimensions of PROBED_DIMENSIONS)
      largest = Math.max(largest, await proveBackend(backends[0] as Backend, provider, dimensions));
    return largest;
  } finally {
    for (const backend of backends) await backend[Symbol.asyncDispose]();
  }
}

async function prove(backend: Backend, provider: Provider, dimensions: number): Promise<number> {
  const halves = floatToHalf(waves(ROWS, dimensions, 1));
  const queries = waves(QUERIES, dimensions, 2);
  await open(backend, provider, halves, dimensions);
  try {
    let largest = 0;
    for (const isHidden of [() => false, (row: number) => row % 3 === 0]) {
      const bias = Float32Array.from({ length: ROWS }, (_, row) => (isHidden(row) ? HIDDEN : 0));
      const scored = await backend.score({ segment: SEGMENT, queries, k: ROWS, bias });
      const vectors = halfToFloat(halves);
      const expected = Float64Array.from({ length: QUERIES * ROWS }, (_, i) => {
        const [query, row] = [Math.floor(i / ROWS), i % ROWS];
        return isHidden(row)
          ? Math.fround(HIDDEN)
          : dot(rowOf(queries, query, dimensions), rowOf(vectors, row, dimensions));
      });
      const bound = scoreError(queries.subarray(0, dimensions));
      const received = inOrderOfRows(scored);
      largest = Math.max(
        largest,
        compareAnswers({ device: provider, what: 'a score', expected, received, bound }),
      );
    }
    return largest;
  } finally {
    await backend.close(SEGMENT);
  }
}

async function open(
  backend: Backend,
  provider: Provider,
  halves: Uint16Array,
  dimensions: number,
): Promise<void> {
  const folder = await makeScratchFolder(tmpdir(), 'vlmo-proof-');
  try {
    const type = segmentType(provider);
    const file = await createSegmentFile(folder, 'rows', type);
    await file.append(halves);
    await backend.open({ segment: SEGMENT, folder, location: 'rows', rows: ROWS, dimensions, type });
    await file.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Rows of unit length that are unlike each other in every value: [rows, dimensions]. */
function waves(rows: number, dimensions: number, phase: number): Float32Array {
  const scale = Math.sqrt(2 / dimensions);
  return Float32Array.from({ length: rows * dimensions }, (_, i) => scale * Math.sin(phase + i * i * 0.37));
}

function rowOf(values: Float32Array, row: number, dimensions: number): Float32Array {
  return values.subarray(row * dimensions, (row + 1) * dimensions);
}

/** Each score where its row is, [Q, rows]; what came back twice or not at all stays out. */
function inOrderOfRows({ values, rows, k }: Scored): Float64Array {
  const sorted = new Float64Array(QUERIES * ROWS).fill(Number.NaN);
  rows.forEach((row, i) => {
    sorted[Math.floor(i / k) * ROWS + row] = values[i] as number;
  });
  return sorted;
}
