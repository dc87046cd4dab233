import { toErrorData } from '#errors.ts';
import { indexChunk } from '#pipeline/index-chunk.ts';
import { quarantine } from '#pipeline/quarantine.ts';
import { openParts } from '#service/index-parts.ts';
import { createIndex } from '#service/open-index.ts';
import { answerQueryJob, answerRetrievalJob } from './answer-jobs.ts';
import type { EngineAnswers, EngineCall, EngineReply, EngineRequest, EngineSetup } from './protocol.ts';

/** The engine's side of the calls: an opened index does each of them, for as long as its parent lives. */
export async function serveCalls(
  { index: folder, ...settings }: EngineSetup,
  note: (line: string) => void,
): Promise<(request: EngineRequest) => Promise<EngineReply | undefined>> {
  const parts = await openParts(folder, { ...settings, write: true, note });
  const index = createIndex(parts);

  const stops = new Map<number, AbortController>();

  async function answer(call: EngineCall, signal: AbortSignal): Promise<EngineAnswers[EngineCall['kind']]> {
    if (call.kind === 'query') return answerQueryJob(index, call.query, signal);
    if (call.kind === 'retrieve') return answerRetrievalJob(index, call.job, signal);
    if (call.kind === 'warm') return index.warm(call.collection).then(() => null);
    if (call.kind === 'close') return index.close().then(() => null);
    return parts.generations.use(call.generation, async (loaded) => {
      const { indexer, plan } = await loaded.indexing();
      if (call.kind === 'index') return indexChunk(indexer(), plan, call);
      if (call.kind === 'quarantine') return quarantine(indexer(), plan, call);
      return null;
    });
  }

  return async ({ id, call }) => {
    if (call === null) {
      stops.get(id)?.abort();
      return undefined;
    }
    const stop = new AbortController();
    stops.set(id, stop);
    try {
      return { id, answer: await answer(call, stop.signal) };
    } catch (error) {
      return { id, error: toErrorData(error, 'INFERENCE_FAILED') };
    } finally {
      stops.delete(id);
    }
  };
}
