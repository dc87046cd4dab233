import type ort from 'onnxruntime-node';
import { type GraphSessionOptions, openGraphSession } from '../graph-session.ts';
import type { MappedWeights } from '../prepare-weights.ts';
import type { VlmoConfig } from './config.ts';
import { buildGraph, type GraphForm, type GraphKind } from './network.ts';

export interface SessionOptions extends GraphForm, GraphSessionOptions {}

/** A session for one graph, computing the named outputs, with the weights mapped from their file. */
export async function createSession(
  kind: GraphKind,
  outputs: readonly string[],
  config: VlmoConfig,
  { folder, weights }: MappedWeights,
  { threads, provider, card, profilePrefix, ...form }: SessionOptions,
): Promise<ort.InferenceSession> {
  const graph = buildGraph(kind, config, weights, outputs, form);
  return openGraphSession(graph, folder, { threads, provider, card, profilePrefix });
}
