import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { VlmoError } from '#errors.ts';
import { unlessAborted } from '#until-aborted.ts';
import type {
  EngineAnswers,
  EngineCall,
  EngineGreeting,
  EngineNote,
  EngineReply,
  EngineRequest,
  EngineSetup,
} from './protocol.ts';

/** The engine's process ended while it worked on a call: the call may be at fault, or one beside it. */
export class EngineDied extends Error {
  override readonly name = 'EngineDied';
}

/** The process that holds model, threads and store, seen from the one that takes the jobs. */
export interface Engine extends AsyncDisposable {
  /**
   * Throws what the call throws, as data that crossed processes and was rebuilt by its code; EngineDied where the
   * process ended or the engine is closed, the signal's reason as soon as it is aborted: a query ends then, a retrieval stops
   * with what it has, other calls go on unseen. The next call starts another process.
   */
  call<Call extends EngineCall>(call: Call, signal?: AbortSignal): Promise<EngineAnswers[Call['kind']]>;
  /** Ends the process, and with it what is under way; the next call starts another. */
  restart(): Promise<void>;
}

interface Waiting {
  resolve(answer: never): void;
  reject(error: Error): void;
}

/** A process that could be called once; its calls end with it. */
interface Process {
  readonly child: ChildProcess;
  readonly waiting: Map<number, Waiting>;
}

/**
 * Starts the engine. Throws what opening the index throws. `onDeath` is told how a process ended by itself, `onNote` what
 * a person should know of it.
 */
export async function startEngine(
  setup: EngineSetup,
  onDeath: (how: string) => void,
  onNote: (line: string) => void = () => undefined,
): Promise<Engine> {
  let nextId = 0;
  let isClosing = false;
  let current: Promise<Process> | undefined;

  function running(): Promise<Process> {
    if (isClosing) return Promise.reject(new EngineDied('The engine is closed'));
    if (current) return current;
    const onEnd = (how: string): void => {
      current = undefined;
      if (!isClosing) onDeath(how);
    };
    const started = start(setup, onEnd, onNote);
    current = started;
    started.catch(() => {
      current = undefined;
    });
    return started;
  }

  async function call<Call extends EngineCall>(
    call: Call,
    signal?: AbortSignal,
  ): Promise<EngineAnswers[Call['kind']]> {
    signal?.throwIfAborted();
    return send(await unlessAborted(running(), signal), call, signal);
  }

  function send<Call extends EngineCall>(
    { child, waiting }: Process,
    call: Call,
    signal?: AbortSignal,
  ): Promise<EngineAnswers[Call['kind']]> {
    const id = nextId++;
    // A channel that closed just now: the end of the process answers.
    const tell = (request: EngineRequest): boolean =>
      child.send(request, undefined, undefined, () => undefined);
    const stop = (): boolean => tell({ id, call: null });
    const answer = new Promise<EngineAnswers[Call['kind']]>((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      tell({ id, call });
    });
    signal?.addEventListener('abort', stop, { once: true });
    const told = answer.finally(() => signal?.removeEventListener('abort', stop));
    return unlessAborted(told, signal);
  }

  await running();
  return {
    call,
    async restart() {
      const process = await current?.catch(() => undefined);
      if (!process || isClosing) return;
      const gone = once(process.child, 'close');
      process.child.kill('SIGKILL');
      await gone;
    },
    async [Symbol.asyncDispose]() {
      isClosing = true;
      const process = await current?.catch(() => undefined);
      if (!process) return;
      const { child, waiting } = process;
      const gone = once(child, 'close');
      // What is still under way was given back, and may be done elsewhere by now: it must not be written here as well.
      if (waiting.size === 0) await send(process, { kind: 'close' }).catch(() => undefined);
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** `onEnd` is told how a process ended that had started. */
async function start(
  setup: EngineSetup,
  onEnd: (how: string) => void,
  onNote: (line: string) => void,
): Promise<Process> {
  // TF32 would round the inputs of CUDA's products to 11 bits.
  const env = { NVIDIA_TF32_OVERRIDE: '0', ...process.env };
  const entry = fileURLToPath(import.meta.resolve('#engine/engine.process.ts'));
  const child = fork(entry, [JSON.stringify(setup)], { serialization: 'advanced', env });
  const waiting = new Map<number, Waiting>();
  const greeting = Promise.withResolvers<void>();
  let isReady = false;
  child.on('message', (message: EngineGreeting | EngineNote | EngineReply) => {
    if ('note' in message) onNote(message.note);
    else if ('id' in message) settle(waiting, message);
    else if ('error' in message) greeting.reject(new VlmoError(message.error.code, message.error.message));
    else {
      isReady = true;
      greeting.resolve();
    }
  });
  child.once('close', (code, signal) => {
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const died = new EngineDied(`The engine's process ended with ${how}`);
    greeting.reject(died);
    for (const { reject } of waiting.values()) reject(died);
    waiting.clear();
    if (isReady) onEnd(how);
  });
  child.on('error', (error) => greeting.reject(error));
  try {
    await greeting.promise;
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  return { child, waiting };
}

function settle(waiting: Map<number, Waiting>, reply: EngineReply): void {
  const call = waiting.get(reply.id);
  if (!call) throw new Error(`An engine answered call ${reply.id}, which nobody made: this is a bug`);
  waiting.delete(reply.id);
  if ('error' in reply) call.reject(new VlmoError(reply.error.code, reply.error.message, reply.error));
  else call.resolve(reply.answer as never);
}
