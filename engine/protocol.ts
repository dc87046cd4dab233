import type { ErrorData } from '#errors.ts';
import type { ChunkTally } from '#pipeline/index-chunk.ts';
import type { QueryJob, RetrievalJob } from '#queue/job.ts';
import type { Answers } from '#search/request.ts';
import type { IndexSettings } from '#service/settings.ts';
import type { Item } from '#sources/item.ts';
import type { GenerationRecord } from '#store/contract.ts';

/** What the process that takes jobs and its engine, a process of its own, say to each other. */

/** How the engine works: the same for all it does. */
export interface EngineSetup extends IndexSettings {
  readonly index: string;
}

/** Items of one run, all the way into the store. */
export interface IndexCall {
  readonly kind: 'index';
  readonly run: string;
  readonly runNumber: number | null;
  readonly source: string;
  readonly generation: GenerationRecord;
  readonly retryFailed: boolean;
  readonly verify?: boolean | undefined;
  readonly items: readonly Item[];
}

/** An item that has ended the engine's process, alone and more than once: listed as failed without a look at it. */
export interface QuarantineCall {
  readonly kind: 'quarantine';
  readonly run: string;
  readonly runNumber: number | null;
  readonly source: string;
  readonly generation: GenerationRecord;
  readonly item: Item;
}

/** Loads the model of a generation, so that a model that cannot be loaded is never blamed on an item. */
export interface LoadCall {
  readonly kind: 'load';
  readonly generation: GenerationRecord;
}

export interface QueryCall {
  readonly kind: 'query';
  readonly query: QueryJob;
}

export interface RetrieveCall {
  readonly kind: 'retrieve';
  readonly job: RetrievalJob;
}

/** Makes the threads ready for a collection, before anybody asks. */
export interface WarmCall {
  readonly kind: 'warm';
  readonly collection: string;
}

/** Gives back what the process holds beyond itself. It is the last call. */
export interface CloseCall {
  readonly kind: 'close';
}

export type EngineCall =
  | IndexCall
  | QuarantineCall
  | LoadCall
  | QueryCall
  | RetrieveCall
  | WarmCall
  | CloseCall;

/** What a query finds. */
export type QueryAnswer = Answers['search'] | Answers['embed'];

/** The answer to each kind of call. */
export interface EngineAnswers {
  readonly index: ChunkTally;
  readonly quarantine: ChunkTally;
  readonly load: null;
  readonly query: QueryAnswer;
  readonly retrieve: Answers['retrieve'] | Answers['pairs'];
  readonly warm: null;
  readonly close: null;
}

/** A call, or that nobody waits for the answer to one any more. */
export type EngineRequest =
  | { readonly id: number; readonly call: EngineCall }
  | { readonly id: number; readonly call: null };

export type EngineReply =
  | { readonly id: number; readonly answer: EngineAnswers[keyof EngineAnswers] }
  | { readonly id: number; readonly error: ErrorData };

/** What a person should know of how it works, at any time. */
export interface EngineNote {
  readonly note: string;
}

/** The first message of an engine: it can be called, or why not. */
export type EngineGreeting = { readonly ready: true } | { readonly error: ErrorData };
