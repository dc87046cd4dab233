import { toErrorData } from '#errors.ts';
import { indexChunk } from '#pipeline/index-chunk.ts';
import { quarantine } from '#pipeline/quarantine.ts';
import { answerQuery } from '#service/answer-query.ts';
import { answerRetrieval } from '#service/answer-retrieval.ts';
import { LoadedGenerations } from '#service/loaded-generations.ts';
import { openStore } from '#store/lance/open-store.ts';
import type { EngineAnswers, EngineCall, EngineReply, EngineRequest, EngineSetup } from './protocol.ts';

/** The engine's side of the calls: what it does with each, for as long as its parent lives. */
export async function serveCalls(
  setup: EngineSetup,
): Promise<(request: EngineRequest) => Promise<EngineReply>> {
  const store = await openStore(setup.index, { create: false, write: true });
  const generations = new LoadedGenerations(store, setup);

  async function answer(call: EngineCall): Promise<EngineAnswers[EngineCall['kind']]> {
    if (call.kind === 'query') return answerQuery(store, generations, call.query);
    if (call.kind === 'retrieve') return answerRetrieval(store, generations, call.job);
    if (call.kind === 'close') return close();
    return generations.use(call.generation, async ({ indexer, plan }) => {
      if (call.kind === 'index') return indexChunk(indexer(), plan, call);
      if (call.kind === 'quarantine') return quarantine(indexer(), plan, call);
      return null;
    });
  }

  async function close(): Promise<null> {
    await generations[Symbol.asyncDispose]();
    await store.close();
    return null;
  }

  return async ({ id, call }) => {
    try {
      return { id, answer: await answer(call) };
    } catch (error) {
      return { id, error: toErrorData(error, 'INFERENCE_FAILED') };
    }
  };
}
