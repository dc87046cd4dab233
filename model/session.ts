import ort from 'onnxruntime-node';
import type { VlmoConfig } from './config.ts';
import { buildGraph, type GraphKind } from './network.ts';
import { encodeModel } from './onnx/encode.ts';
import type { MappedWeights } from './prepare-weights.ts';

export interface SessionOptions {
  /** Threads that one run computes on. */
  readonly threads: number;
}

/** A session for one graph, computing the named outputs, with the weights mapped from their file. */
export async function createSession(
  kind: GraphKind,
  outputs: readonly string[],
  config: VlmoConfig,
  { folder, weights }: MappedWeights,
  { threads }: SessionOptions,
): Promise<ort.InferenceSession> {
  const graph = buildGraph(kind, config, weights, outputs);
  return ort.InferenceSession.create(encodeModel(graph), {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // A memory plan is kept for each shape of input, and batches come in many shapes.
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: {
      session: {
        model_external_initializers_file_folder_path: folder,
        // Prepacking would give every session a private copy of its weights; Gemm reads them as fast where they are.
        disable_prepacking: '1',
        // A waiting thread that spins takes the core from decoding.
        'intra_op.allow_spinning': '0',
      },
    },
  });
}
