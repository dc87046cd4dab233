import { EventEmitter, once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { errorMessage, VlmoError } from '#errors.ts';

/** Threads of one kind that take tasks. */
export interface ThreadPool {
  /**
   * The answer of a thread. Throws what ends the thread meanwhile, and THREAD_UNAVAILABLE where none can be started: then
   * every task that waits is told so, and the next one tries anew.
   */
  run(task: unknown): Promise<unknown>;
  /** Waits for what runs and for threads that start: one that is ended in native code would end the process. */
  close(): Promise<void>;
}

type PoolOptions = NonNullable<ConstructorParameters<typeof Piscina>[0]>;

interface ThreadPoolOptions extends Pick<PoolOptions, 'workerData' | 'taskQueue' | 'resourceLimits'> {
  /** As `import.meta.resolve` gives it. */
  readonly entry: string;
  readonly threads: number;
}

/** Piscina, which leaves the tasks waiting for ever where a thread that has died cannot be started again. */
export function createThreadPool(options: ThreadPoolOptions): ThreadPool {
  let threads = new Threads(options);
  let isClosed = false;
  return {
    run(task) {
      if (threads.isGone && !isClosed) threads = new Threads(options);
      return threads.run(task);
    },
    async close() {
      isClosed = true;
      await threads.close();
    },
  };
}

/** The longest that a timer waits. */
const FOR_EVER_MS = 2 ** 31 - 1;

class Threads {
  /** No thread is left, and none could be started. */
  isGone = false;
  readonly #pool: Piscina;
  /** The first threads that start, which Piscina calls ready at once, and those that it calls ready later. */
  readonly #starting: Set<Worker>;
  readonly #ready = new Set<unknown>();
  readonly #waiting = new Set<(error: VlmoError) => void>();
  readonly #changes = new EventEmitter();
  #hasWorked = false;
  #isClosing = false;
  #reason = 'its end';

  constructor({ entry, threads, ...options }: ThreadPoolOptions) {
    this.#pool = new Piscina({
      ...options,
      filename: entry,
      minThreads: threads,
      maxThreads: threads,
      // What asks bounds what is in flight; an idle thread keeps what it has loaded.
      idleTimeout: Number.POSITIVE_INFINITY,
      closeTimeout: FOR_EVER_MS,
      recordTiming: false,
      stricterFIFO: true,
    });
    this.#starting = new Set(this.#pool.threads);
    for (const thread of this.#starting) {
      const started = (): void => {
        this.#starting.delete(thread);
        this.#changes.emit('change');
      };
      thread.once('message', started).once('exit', started);
    }
    this.#pool.on('workerCreate', (thread) => {
      this.#ready.add(thread);
      this.#changes.emit('change');
    });
    this.#pool.on('workerDestroy', (thread) => {
      this.#ready.delete(thread);
      // Piscina has started another by then, or never will.
      setImmediate(() => this.#lookForThreads());
    });
    // A thread that dies without a task. Unheard, the event would end the process.
    this.#pool.on('error', (error) => {
      this.#reason = errorMessage(error);
    });
  }

  async run(task: unknown): Promise<unknown> {
    const gone = Promise.withResolvers<never>();
    this.#waiting.add(gone.reject);
    try {
      const answer = await Promise.race([this.#pool.run(task), gone.promise]);
      this.#hasWorked = true;
      return answer;
    } catch (error) {
      this.#reason = errorMessage(error);
      throw this.#hasWorked ? error : unavailable(error);
    } finally {
      this.#waiting.delete(gone.reject);
    }
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    while (this.#starting.size > 0 || this.#pool.threads.length > this.#ready.size)
      await once(this.#changes, 'change');
    if (!this.isGone) await this.#pool.close();
  }

  #lookForThreads(): void {
    this.#changes.emit('change');
    if (this.isGone || this.#isClosing || this.#pool.threads.length > 0) return;
    this.isGone = true;
    const error = unavailable(this.#reason);
    for (const reject of this.#waiting) reject(error);
    void this.#pool.destroy();
  }
}

function unavailable(reason: unknown): VlmoError {
  if (reason instanceof VlmoError) return reason;
  return new VlmoError(
    'THREAD_UNAVAILABLE',
    `Cannot start a thread: expected it to take work, received ${errorMessage(reason)}`,
  );
}
