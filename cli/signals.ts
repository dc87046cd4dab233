import { note } from './output.ts';

export interface StopSignals extends Disposable {
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
}

/** What a call ends with that was stopped before it had begun anything. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/**
 * The first signal asks for an orderly end, the second one ends the process at once; both lose nothing. `say` tells the
 * person who sent it.
 */
export function stopOnSignals(say = (words: string): void => note(`\n${words}`)): StopSignals {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
    say('Finishing what was begun. Once more to stop at once.');
    controller.abort(new Interrupted());
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
