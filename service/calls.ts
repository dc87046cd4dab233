import { unlessAborted } from '#until-aborted.ts';
import { CallGate } from './call-gate.ts';

/** The calls of an opened index that are under way. */
export class Calls {
  readonly #gate: CallGate;
  readonly #working = new Set<Promise<unknown>>();

  constructor(max: number) {
    this.#gate = new CallGate(max);
  }

  /** A question: let in by the gate, and ended by its signal wherever it is. Throws ENGINE_BUSY. */
  async answer<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    const leave = this.#gate.enter();
    return unlessAborted(this.track(work).finally(leave), signal);
  }

  /** Work that looks at its signal itself. */
  track<T>(work: () => Promise<T>): Promise<T> {
    const working = work();
    const gone = working.then(
      () => undefined,
      () => undefined,
    );
    this.#working.add(gone);
    void gone.then(() => this.#working.delete(gone));
    return working;
  }

  /** When nothing is under way, of calls that were aborted either. */
  async settled(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working);
  }
}
