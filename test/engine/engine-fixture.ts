import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import type { Engine } from '#engine/engine.ts';
import type { EngineAnswers, EngineCall } from '#engine/protocol.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { openModel } from '#model/open-model.ts';
import type { ChunkTally } from '#pipeline/index-chunk.ts';
import type { Item } from '#sources/item.ts';
import type { ChunkResult, GenerationRecord, KindCount, RunRecord, Store } from '#store/contract.ts';

const LIMITS = { decodeTimeout: 60, decodeMemory: 512 };

/** How an engine works on a small machine. */
export function engineSetup(index: string) {
  const threads = { inferenceWorkers: 1, decodeThreads: 1, batchSize: 8 };
  return {
    index,
    device: 'cpu' as const,
    ...threads,
    maxPixels: 1_000_000,
    maxImageBytes: 1_000_000,
    ...LIMITS,
  };
}

/** The generation of a model in a collection of a store; made where it is not there. */
export async function openModelGeneration(
  store: Store,
  path: string,
  collection = 'default',
): Promise<GenerationRecord> {
  const model = await openModel(path);
  const tables = await store.openGeneration({
    ...{ collection, preprocess: 'fast', modelName: model.name, modelPath: model.path },
    fingerprint: await fingerprint(model, 'fast'),
    dimensions: model.dimensions,
  });
  return tables.record;
}

/** A run that is under way. */
export function runRecord(generation: GenerationRecord, changes: Partial<RunRecord> = {}): RunRecord {
  const counts = { seen: 0, stored: 0, skipped: 0, failed: 0, kinds: null };
  return {
    ...{
      id: 'r',
      kind: 'queued',
      source: '/pictures',
      place: '/pictures',
      state: 'running',
      submitted: true,
      options: '{}',
    },
    ...{ collection: generation.collection, generation: generation.name, ...counts },
    ...{
      startedAt: new Date(),
      endedAt: null,
      number: 1,
      owner: null,
      lease: null,
      truncated: null,
      ...changes,
    },
  };
}

export function chunkResult(chunk: string, changes: Partial<ChunkResult> = {}): ChunkResult {
  return { run: 'r', chunk, stored: 2, skipped: 0, failed: 0, kinds: null, at: new Date(), ...changes };
}

export function caption(id: string, text = `red ${id}`): Item {
  return { kind: 'caption', id, imageId: null, uri: '/list.csv', caption: text, meta: {} };
}

/** Where all of so many items were stored. */
export function allStored(items: readonly Item[]): ChunkTally {
  const done = { stored: items.length, skipped: 0, failed: 0 };
  return {
    ...done,
    kinds: { images: countOf(items, 'image'), captions: countOf(items, 'caption') },
    failures: [],
  };
}

function countOf(items: readonly Item[], kind: Item['kind']): KindCount {
  return { stored: items.filter((item) => item.kind === kind).length, skipped: 0, failed: 0 };
}

type Script = {
  [Kind in EngineCall['kind']]?: (call: Extract<EngineCall, { kind: Kind }>) => Promise<EngineAnswers[Kind]>;
};

/** An engine without a process, which answers as it is told to, and the kinds of the calls that it got. */
export function scriptedEngine(script: Script): Engine & { readonly calls: readonly string[] } {
  const calls: string[] = [];
  return {
    calls,
    async call<Call extends EngineCall>(call: Call) {
      calls.push('items' in call ? `${call.kind} ${call.items.map(({ id }) => id).join('')}` : call.kind);
      const answer = script[call.kind] as ((call: Call) => Promise<EngineAnswers[Call['kind']]>) | undefined;
      return answer ? answer(call) : (null as EngineAnswers[Call['kind']]);
    },
    async restart() {
      calls.push('restart');
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

export interface Logged {
  readonly log: Logger;
  /** What was logged so far. */
  readonly lines: readonly Record<string, unknown>[];
  /** Resolves with the first line, of before too, that has these words. */
  until(words: string): Promise<Record<string, unknown>>;
}

/** A log that is kept. */
export function keptLog(): Logged {
  const lines: Record<string, unknown>[] = [];
  const changed = new EventTarget();
  const output = new Writable({
    write(piece: Buffer, _, done) {
      for (const line of piece.toString().trimEnd().split('\n')) lines.push(JSON.parse(line));
      changed.dispatchEvent(new Event('line'));
      done();
    },
  });
  return {
    log: pino({ level: 'debug' }, output),
    lines,
    async until(words) {
      for (;;) {
        const line = lines.find(({ msg }) => String(msg).includes(words));
        if (line) return line;
        await new Promise((resolve) => changed.addEventListener('line', resolve, { once: true }));
      }
    },
  };
}
