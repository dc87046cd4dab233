/** The time that a download may take, which ends it, as its caller's signal does. Its own waiting for room does not count. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  #leftMs: number;
  #since = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(ms: number, outer: AbortSignal | undefined) {
    this.#leftMs = ms;
    this.#outer = outer;
    if (outer?.aborted) this.#stop();
    outer?.addEventListener('abort', this.#stop);
    this.#start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the time ended it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Stops the clock for as long as something else takes. Rejects with the reason where the caller's signal ends it. */
  async pausedFor(work: Promise<void>): Promise<void> {
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#since;
    await work;
    this.signal.throwIfAborted();
    this.#start();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#stop);
  }

  #start(): void {
    this.#since = performance.now();
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#controller.abort(new Error('The time of a download is over'));
    }, this.#leftMs);
  }

  readonly #stop = (): void => this.#controller.abort(this.#outer?.reason);
}
