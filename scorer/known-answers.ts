import { compareAnswers } from '#devices/known-answers.ts';
import type { Provider } from '#devices/provider.ts';
import { floatToHalf } from '#float16.ts';
import type { Backend } from './backend.ts';
import { createBackends } from './backends.ts';
import { BLOCK_ROWS } from './blocks.ts';
import { dotHalves } from './dot.ts';

/** Whole blocks, so that every lane of a workgroup has rows in every turn of its loop. */
const ROWS = 3 * BLOCK_ROWS;
/** More than a kernel takes at once. */
const QUERIES = 5;
/** No table has a segment of this number. */
const SEGMENT = -1;
/** What the probe tries: VLMo-base, and a length that fills no vector of a kernel. */
const PROBED_DIMENSIONS = [768, 100] as const;

/** All rows, most and one: the last leaves a sort less than it is asked for. */
const FILTERS = [
  { isHidden: () => false, k: ROWS },
  { isHidden: (row: number) => row % 3 === 0, k: ROWS },
  { isHidden: (row: number) => row !== 70, k: 10 },
];

const proofs = new Map<string, Promise<number>>();

/**
 * Proves a backend on rows that are known, with a filter and without: once a process, device and shape. Gives the largest
 * difference of its scores from products in float64. Throws DEVICE_WRONG beyond the error that it claims.
 */
export function proveBackend(backend: Backend, provider: string, dimensions: number): Promise<number> {
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

async function prove(backend: Backend, device: string, dimensions: number): Promise<number> {
  const halves = new Uint16Array(new SharedArrayBuffer(2 * ROWS * dimensions));
  floatToHalf(waves(ROWS, dimensions, 1), halves);
  const queries = waves(QUERIES, dimensions, 2);
  await backend.open({ segment: SEGMENT, halves, rows: ROWS, dimensions });
  try {
    let largest = 0;
    for (const { isHidden, k } of FILTERS)
      largest = Math.max(largest, await compare({ backend, device, halves, queries, isHidden, k }));
    return largest;
  } finally {
    await backend.close(SEGMENT);
  }
}

interface Comparison {
  readonly backend: Backend;
  readonly device: string;
  readonly halves: Uint16Array;
  readonly queries: Float32Array;
  readonly isHidden: (row: number) => boolean;
  readonly k: number;
}

/** Every row that is shown is asked for, and has to be there; no other. */
async function compare({ backend, device, halves, queries, isHidden, k }: Comparison): Promise<number> {
  const shown = Array.from({ length: ROWS }, (_, row) => row).filter((row) => !isHidden(row));
  const hidden = Uint8Array.from({ length: ROWS }, (_, row) => (isHidden(row) ? 1 : 0));
  const parts = [{ segment: SEGMENT, hidden: shown.length < ROWS ? hidden : null }];
  const { ends, rows, values, errors } = await backend.score({ parts, queries, k });
  const dimensions = queries.length / QUERIES;
  let largest = 0;
  for (let q = 0; q < QUERIES; q++) {
    const query = queries.subarray(q * dimensions, (q + 1) * dimensions);
    const received = new Map<number, number>();
    let bound = 0;
    for (let i = q === 0 ? 0 : (ends[q - 1] as number); i < (ends[q] as number); i++) {
      received.set(rows[i] as number, values[i] as number);
      bound = Math.max(bound, errors[i] as number);
    }
    const given = {
      expected: shown.map((row) => dotHalves(query, halves, row * dimensions)),
      received: [...received].sort(([a], [b]) => a - b).map(([, value]) => value),
    };
    largest = Math.max(largest, compareAnswers({ device, what: 'a score', bound, ...given }));
  }
  return largest;
}

/** Rows of unit length that are unlike each other in every value: [rows, dimensions]. */
function waves(rows: number, dimensions: number, phase: number): Float32Array {
  const scale = Math.sqrt(2 / dimensions);
  return Float32Array.from({ length: rows * dimensions }, (_, i) => scale * Math.sin(phase + i * i * 0.37));
}
