import { ELEMENT_TYPES, type Graph, GraphBuilder, type Value } from '#onnx/graph.ts';
import { BLOCK_ROWS } from '../blocks.ts';

/** The score of hidden rows in 16 bits: finite, since CUDA's TopK fills up with the lowest number, which infinity is below. */
export const HIDDEN_HALF = -32_768; // 0xf800

export interface TopKShape {
  /** N, whole blocks. */
  readonly rows: number;
  readonly dimensions: number;
  /** Name of the file with the vectors [N, D] in float16, in the folder that the session is given. */
  readonly location: string;
}

/**
 * The k best rows of a segment for each of Q queries. The k best always lie in the k blocks with the largest maxima, so a
 * sort over N becomes one over N / block and one over k blocks. Scores stay in 16 bits until few are left; those few are
 * scored again in float64.
 *
 *     queries [Q, D], mask [1, 1] or [N / block, block] -> found [Q, k, 3]: row, score in 16 bits, product in float64; k <= N
 */
export function buildTopKGraph({ rows, dimensions, location }: TopKShape): Graph {
  const graph = new GraphBuilder();
  const blocks = rows / BLOCK_ROWS;
  const queries = graph.input('queries', 'float32', ['Q', dimensions]);
  // 1 for hidden rows, in bytes: a filter sends one for each row.
  const mask = graph.input('mask', 'uint8', ['maskBlocks', 'maskRows']);
  const k = graph.input('k', 'int64', [1]);
  const kBlocks = graph.input('kBlocks', 'int64', [1]);
  const { float16, float64 } = ELEMENT_TYPES;
  const to = (value: Value, type: number): Value => graph.node('Cast', [value], { to: type });
  const integer = (value: number): Value => integers(graph, [value]);

  const data = { location, offset: 0, length: rows * dimensions * 2 };
  const vectors = graph.constant({ name: 'vectors', type: 'float16', dims: [rows, dimensions], data });
  // Float16 tensors cannot be fed: they are made here.
  const products = graph.node('Gemm', [to(queries, float16), vectors], { transB: 1 }); // [Q, N]
  const half = new Uint8Array(Uint16Array.of(0xf800).buffer);
  const hidden = graph.constant({ name: 'hidden', type: 'float16', dims: [], data: half });
  const bias = graph.node('Mul', [to(mask, float16), hidden]);
  const inBlocks = graph.node('Reshape', [products, integers(graph, [-1, blocks, BLOCK_ROWS])]);
  const scores = graph.node('Add', [inBlocks, bias]); // [Q, N / block, block]
  // A pooling is a fifth faster than a reduction on CUDA.
  const line = graph.node('Reshape', [scores, integers(graph, [-1, 1, rows])]);
  const pooled = graph.node('MaxPool', [line], { kernel_shape: [BLOCK_ROWS], strides: [BLOCK_ROWS] });
  const maxima = graph.node('Reshape', [pooled, integers(graph, [-1, blocks])]);
  const best = graph.topK(maxima, kBlocks); // [Q, kBlocks]
  const where = graph.node('Unsqueeze', [best.indices, integer(2)]);
  const candidates = graph.node('GatherND', [scores, where], { batch_dims: 1 }); // [Q, kBlocks, block]
  const found = graph.topK(graph.node('Reshape', [candidates, integers(graph, [0, -1])]), k); // [Q, k]

  const nth = graph.node('Div', [found.indices, integer(BLOCK_ROWS)]);
  const first = graph.node('Mul', [nth, integer(BLOCK_ROWS)]);
  const block = graph.node('GatherElements', [best.indices, nth], { axis: 1 });
  const start = graph.node('Mul', [block, integer(BLOCK_ROWS)]);
  const places = graph.node('Add', [start, graph.node('Sub', [found.indices, first])]); // [Q, k]
  const chosen = to(graph.node('Gather', [vectors, places], { axis: 0 }), float64); // [Q, k, D]
  const column = graph.node('Unsqueeze', [to(queries, float64), integer(2)]);
  const exact = graph.node('MatMul', [chosen, column]); // [Q, k, 1]
  const inFull = (value: Value): Value => graph.node('Unsqueeze', [to(value, float64), integer(2)]);
  // One result, since each costs a wait for the device.
  const all = graph.node('Concat', [inFull(places), inFull(found.values), exact], { axis: 2 });
  return graph.finish([{ ...all, type: 'float64', dims: ['Q', 'k', 3] }]);
}

function integers(graph: GraphBuilder, values: readonly number[]): Value {
  const data = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return graph.constant({ name: values.join(' '), type: 'int64', dims: [values.length], data });
}
