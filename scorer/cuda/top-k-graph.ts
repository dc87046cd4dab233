import { type Graph, GraphBuilder, type Value } from '#onnx/graph.ts';
import { BLOCK_ROWS } from '../blocks.ts';

const [FLOAT, HALF] = [1, 10];
/** The score of hidden rows in 16 bits: finite, since CUDA's TopK fills up with the lowest number, which infinity is below. */
export const HIDDEN_HALF = -32_768;

export interface TopKShape {
  /** N, whole blocks. */
  readonly rows: number;
  readonly dimensions: number;
  /** Name of the file with the vectors [N, D] in float16, in the folder that the session is given. */
  readonly location: string;
}

/**
 * The k best rows of a segment for each of Q queries. The k best always lie in the k blocks with the largest maxima, so a
 * sort over N becomes one over N / block and one over k blocks. Scores stay in 16 bits until few are left.
 *
 *     queries [Q, D], bias [1, 1] or [N / block, block] -> values [Q, k], places [Q, k] in blocks [Q, kBlocks] k <= N
 */
export function buildTopKGraph({ rows, dimensions, location }: TopKShape): Graph {
  const graph = new GraphBuilder();
  const blocks = rows / BLOCK_ROWS;
  const queries = graph.input('queries', 'float32', ['Q', dimensions]);
  const bias = graph.input('bias', 'float32', ['biasBlocks', 'biasRows']);
  const k = graph.input('k', 'int64', [1]);
  const kBlocks = graph.input('kBlocks', 'int64', [1]);
  const to = (value: Value, type: number): Value => graph.node('Cast', [value], { to: type });

  const data = { location, offset: 0, length: rows * dimensions * 2 };
  const vectors = graph.constant({ name: 'vectors', type: 'float16', dims: [rows, dimensions], data });
  // Float16 tensors cannot be fed: they are made here.
  const products = graph.node('Gemm', [to(queries, HALF), vectors], { transB: 1 }); // [Q, N]
  const least = new Uint8Array(Float32Array.of(HIDDEN_HALF).buffer);
  const hidden = graph.constant({ name: 'hidden', type: 'float32', dims: [], data: least });
  const shown = graph.node('Max', [bias, hidden]);
  const shape = integers(graph, 'shape', [-1, blocks, BLOCK_ROWS]);
  const scores = graph.node('Add', [graph.node('Reshape', [products, shape]), to(shown, HALF)]); // [Q, N / block, block]
  const maxima = graph.node('ReduceMax', [scores, integers(graph, 'inBlock', [2])], { keepdims: 0 });
  const best = graph.topK(to(maxima, FLOAT), kBlocks); // [Q, kBlocks]
  const where = graph.node('Unsqueeze', [best.indices, integers(graph, 'last', [2])]);
  const candidates = graph.node('GatherND', [scores, where], { batch_dims: 1 }); // [Q, kBlocks, block]
  const flat = graph.node('Reshape', [to(candidates, FLOAT), integers(graph, 'flat', [0, -1])]);
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
