import ort from 'onnxruntime-node';
import { inTurn } from '#devices/gpu-lock.ts';
import type { Provider } from '#devices/provider.ts';
import { encodeModel } from '#onnx/encode.ts';
import type { VlmoConfig } from './config.ts';
import { buildGraph, type GraphForm, type GraphKind } from './network.ts';
import type { MappedWeights } from './prepare-weights.ts';

export interface SessionOptions extends GraphForm {
  /** Threads that one run computes on; a GPU leaves them idle. */
  readonly threads: number;
  /** What computes: one that `resolveDevice` found to work. */
  readonly provider: Provider;
  /** Which GPU of several, as CUDA counts them. */
  readonly card?: number | undefined;
  /** Where a profile of every node goes, as the beginning of a file's name. */
  readonly profilePrefix?: string;
}

/** A session for one graph, computing the named outputs, with the weights mapped from their file. */
export async function createSession(
  kind: GraphKind,
  outputs: readonly string[],
  config: VlmoConfig,
  { folder, weights }: MappedWeights,
  { threads, provider, card, profilePrefix, ...form }: SessionOptions,
): Promise<ort.InferenceSession> {
  const graph = buildGraph(kind, config, weights, outputs, form);
  const options: ort.InferenceSession.SessionOptions = {
    // One that cannot start is an error here, not a session on the CPU.
    executionProviders: [card === undefined ? provider : { name: provider, deviceId: card }],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // A memory plan is kept for each shape of input, and batches come in many shapes.
    enableMemPattern: false,
    logSeverityLevel: 3,
    ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
    extra: {
      session: {
        model_external_initializers_file_folder_path: folder,
        // Prepacking would give every session a private copy of its weights; Gemm reads them as fast where they are.
        disable_prepacking: '1',
        // A waiting thread that spins takes the core from decoding.
        'intra_op.allow_spinning': '0',
      },
    },
  };
  return inTurn(provider, () => ort.InferenceSession.create(encodeModel(graph), options));
}
