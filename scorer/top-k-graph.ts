import { type Graph, GraphBuilder, type Value } from '#onnx/graph.ts';
import type { SegmentType } from './protocol.ts';

/** Rows of one block: near the square root of a segment's rows over the usual k, where both sorts are as small as can be. */
export const BLOCK_ROWS = 64;
/** Added to the scores of rows that are not to be found. Finite, because not every GPU knows infinity. */
export const HIDDEN = -1e30;

export interface TopKShape {
  /** N, whole blocks. */
  readonly rows: number;
  readonly dimensions: number;
  readonly type: SegmentType;
  /** Name of the file with the vectors [N, D], in the folder that the session is given. */
  readonly location: string;
}

/**
 * The k best rows of a segment for each of Q queries, exactly. The k best always lie in the k blocks with the largest
 * maxima, so a sort over N becomes one over N / block and one over k blocks. The vectors are a constant that stays
 * on the device; products are added in float32 whatever the type they are kept in.
 *
 *     queries [Q, D], bias [1, 1] or [N / block, block] -> values [Q, k], places [Q, k] in blocks [Q, kBlocks] k <= N
 */
export function buildTopKGraph({ rows, dimensions, type, location }: TopKShape): Graph {
  const graph = new GraphBuilder();
  const blocks = rows / BLOCK_ROWS;
  const queries = graph.input('queries', 'float32', ['Q', dimensions]);
  const bias = graph.input('bias', 'float32', ['biasBlocks', 'biasRows']);
  const k = graph.input('k', 'int64', [1]);
  const kBlocks = graph.input('kBlocks', 'int64', [1]);

  const length = rows * dimensions * (type === 'float16' ? 2 : 4);
  const data = { location, offset: 0, length };
  const stored = graph.constant({ name: 'vectors', type, dims: [rows, dimensions], data });
  const vectors = type === 'float16' ? graph.node('Cast', [stored], { to: 1 }) : stored;
  const products = graph.node('Gemm', [queries, vectors], { transB: 1 }); // [Q, N]
  const shape = integers(graph, 'shape', [-1, blocks, BLOCK_ROWS]);
  const scores = graph.node('Add', [graph.node('Reshape', [products, shape]), bias]); // [Q, N / block, block]
  const maxima = graph.node('ReduceMax', [scores, integers(graph, 'inBlock', [2])], { keepdims: 0 });
  const best = graph.topK(maxima, kBlocks); // [Q, kBlocks]
  const where = graph.node('Unsqueeze', [best.indices, integers(graph, 'last', [2])]);
  const candidates = graph.node('GatherND', [scores, where], { batch_dims: 1 }); // [Q, kBlocks, block]
  const flat = graph.node('Reshape', [candidates, integers(graph, 'flat', [0, -1])]);
  const found = graph.topK(flat, k); // [Q, k]
  return graph.finish([
    { ...found.values, type: 'float32', dims: ['Q', 'k'] },
    { ...found.indices, type: 'int64', dims: ['Q', 'k'] },
    { ...best.indices, type: 'int64', dims: ['Q', 'kBlocks'] },
  ]);
}

function integers(graph: GraphBuilder, name: string, values: readonly number[]): Value {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return graph.constant({ name, type: 'int64', dims: [values.length], data });
}
