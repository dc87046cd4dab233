import ort from 'onnxruntime-node';
import { inTurn } from '#devices/gpu-lock.ts';
import type { Provider } from '#devices/provider.ts';
import { encodeModel } from '#onnx/encode.ts';
import type { Graph } from '#onnx/graph.ts';

export interface GraphSessionOptions {
  /** Threads that one run computes on; a GPU leaves them idle. */
  readonly threads: number;
  /** What computes: one that `resolveDevice` found to work. */
  readonly provider: Provider;
  /** Which GPU of several, as CUDA counts them. */
  readonly card?: number | undefined;
  /** Where a profile of every node goes, as the beginning of a file's name. */
  readonly profilePrefix?: string | undefined;
}

/** A session of a graph that was built here, its weights mapped from their file in `folder`. */
export async function openGraphSession(
  graph: Graph,
  folder: string,
  { threads, provider, card, profilePrefix }: GraphSessionOptions,
): Promise<ort.InferenceSession> {
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
