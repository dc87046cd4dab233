import { toErrorData } from '#errors.ts';
import type { EngineGreeting, EngineNote, EngineReply, EngineRequest, EngineSetup } from './protocol.ts';
import { serveCalls } from './serve-calls.ts';

/**
 * The entry of the engine's process: model, threads and store, apart from the process that renews the locks of jobs.
 * Its setup comes as the one argument, its calls over the channel that `fork` opens.
 */

const send = (message: EngineGreeting | EngineNote | EngineReply | undefined): void => {
  if (!message) return;
  // The parent may be gone by now, and with it whoever wants the answer.
  process.send?.(message, undefined, undefined, () => undefined);
};

// A terminal's Ctrl-C reaches parent and child: the parent decides when the work ends.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
// Nobody is left to answer. SIGKILL, because onnxruntime aborts where a thread is ended in the middle of a run.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

try {
  const note = (line: string): void => send({ note: line });
  const serve = await serveCalls(JSON.parse(process.argv[2] ?? '') as EngineSetup, note);
  process.on('message', (request: EngineRequest) => void serve(request).then(send));
  send({ ready: true });
} catch (error) {
  send({ error: toErrorData(error, 'STORE_READ_FAILED') });
}
