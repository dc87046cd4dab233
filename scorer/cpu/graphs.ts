import { type Graph, GraphBuilder, type Value } from '#onnx/graph.ts';
import { BLOCK_ROWS } from '../blocks.ts';
import type { QuantisedRows } from './quantised-rows.ts';

/**
 * Products of quantised queries and rows, the two halves of a query brought together, and the maximum of each block.
 *
 *     queries [2 Q, D] bytes, bias [N] -> scores [Q, N], maxima [Q, N / block]
 */
export function int8Graph({ bytes, scales }: QuantisedRows, dimensions: number): Graph {
  const graph = new GraphBuilder();
  const rows = scales.length;
  const queries = graph.input('queries', 'uint8', ['2 Q', dimensions]);
  const bias = graph.input('bias', 'float32', [rows]);
  const vectors = constant(graph, 'vectors', 'int8', [dimensions, rows], bytes);
  const one = constant(graph, 'one', 'float32', [], Float32Array.of(1));
  const rowScales = constant(graph, 'scales', 'float32', [rows], scales);
  const zeroPoint = constant(graph, 'zeroPoint', 'uint8', [], Uint8Array.of(128));
  const inputs = [queries, vectors, one, rowScales, zeroPoint, null, bias];
  const products = graph.node('MatMulIntegerToFloat', inputs, {}, 'com.microsoft'); // [2 Q, N]
  const [high, low] = graph.halve(products);
  const factor = constant(graph, 'factor', 'float32', [], Float32Array.of(256));
  return withMaxima(graph, graph.node('Add', [graph.node('Mul', [high, factor]), low]), rows);
}

/** The same in float32, for processors whose 8-bit products are not exact. */
export function float32Graph(vectors: Float32Array, rows: number, dimensions: number): Graph {
  const graph = new GraphBuilder();
  const queries = graph.input('queries', 'float32', ['Q', dimensions]);
  const bias = graph.input('bias', 'float32', [rows]);
  const stored = constant(graph, 'vectors', 'float32', [rows, dimensions], vectors);
  return withMaxima(graph, graph.node('Gemm', [queries, stored, bias], { transB: 1 }), rows);
}

function withMaxima(graph: GraphBuilder, scores: Value, rows: number): Graph {
  const shape = constant(
    graph,
    'shape',
    'int64',
    [3],
    BigInt64Array.of(-1n, BigInt(rows / BLOCK_ROWS), BigInt(BLOCK_ROWS)),
  );
  const axis = constant(graph, 'axis', 'int64', [1], BigInt64Array.of(2n));
  const maxima = graph.node('ReduceMax', [graph.node('Reshape', [scores, shape]), axis], { keepdims: 0 });
  return graph.finish([
    { ...scores, type: 'float32', dims: ['Q', rows] },
    { ...maxima, type: 'float32', dims: ['Q', rows / BLOCK_ROWS] },
  ]);
}

function constant(
  graph: GraphBuilder,
  name: string,
  type: 'int8' | 'uint8' | 'float32' | 'int64',
  dims: readonly number[],
  values: Int8Array | Uint8Array | Float32Array | BigInt64Array,
): Value {
  const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return graph.constant({ name, type, dims, data });
}
