import { errorMessage, isOfTheMachine, VlmoError } from '#errors.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import { fileOf } from '#uri.ts';
import { type DecodeJob, Decoder, type DecoderEnd } from './decoder.ts';
import { decoderFault } from './decoder-fault.ts';
import { SLOTS } from './pixel-file.ts';
import type {
  DecodeReply,
  DecodeSetup,
  PictureOutcome,
  PictureTask,
  PreprocessSetup,
  PreprocessTask,
} from './protocol.ts';
import { unpackFirst } from './unpack-first.ts';

export interface PreprocessPool extends AsyncDisposable {
  /** Pictures that keep every process busy. */
  readonly concurrency: number;
  /**
   * Reads, hashes, decodes and resizes the pictures of a task; outcomes in their order. Rejects only where no process
   * can be started, with DECODER_UNAVAILABLE, or where no file can be read, with MACHINE_FAILED; the next task tries anew.
   * Whatever a picture does to its process is an outcome.
   */
  run(task: PreprocessTask): Promise<PictureOutcome[]>;
  /** As `run`, before all pictures that wait: for somebody who waits for an answer. */
  runUrgent(task: PreprocessTask): Promise<PictureOutcome[]>;
}

interface Job extends DecodeJob {
  /** Takes the pixels into the next free slot of the job's task. */
  place(readPixels: (into: Uint8Array) => void): number;
  resolve(outcome: PictureOutcome): void;
  reject(error: VlmoError): void;
}

const TICK_MS = 100;
/** What counts of a tick at most: a machine or a process group that was stopped for long has lost no time to a picture. */
const MAX_TICK_MS = 1000;
/** Processes in a row that do not start, with none that does, before there is no point in another. */
const MAX_UNSTARTED = 3;
const RESTART_MS = 250;

/**
 * At most `processes` decode processes, the first one started at once, the others as pictures wait. They are processes
 * because decoding grows by processes only (a lock in libvips), and because nothing else ends a decode. The pictures of
 * a task are handed out one by one: a thread pool in between would hold a thread a process that only waits.
 */
export function createPreprocessPool(setup: PreprocessSetup, processes: number): PreprocessPool {
  const pool = new DecoderPool({ timeoutSeconds: 60, memoryMiB: 512, ...setup }, processes);
  const size = pictureValues(setup.spec);
  const submit = async (queue: 'bulk' | 'urgent', task: PreprocessTask): Promise<PictureOutcome[]> => {
    const unpacking = unpackFirst(task.pictures);
    const failed = unpacking && (await unpacking);
    // Slots are taken when a picture is done, so that the pictures of a task lie side by side whichever fail.
    let slots = task.firstSlot;
    const place: Job['place'] = (readPixels) => {
      const slot = slots++;
      readPixels(new Uint8Array(task.pixels, slot * size, size));
      return slot;
    };
    return Promise.all(
      task.pictures.map(async (picture): Promise<PictureOutcome> => {
        const error = failed?.get(fileOf(picture.uri));
        return error ? { kind: 'failed', error, sha256: null } : pool.add(queue, picture, place);
      }),
    );
  };
  return {
    concurrency: processes * SLOTS,
    run: (task) => submit('bulk', task),
    runUrgent: (task) => submit('urgent', task),
    [Symbol.asyncDispose]: () => pool.close(),
  };
}

class DecoderPool {
  readonly #setup: DecodeSetup;
  readonly #most: number;
  readonly #decoders = new Set<Decoder<Job>>();
  /** What waits for a process; suspects are decoded alone, in a process that has not decoded anything yet. */
  readonly #waiting = { suspects: [] as Job[], urgent: [] as Job[], bulk: [] as Job[] };
  #pending = 0;
  #ticker: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #unstarted = 0;
  /** Why nothing is decoded any more. */
  #closed: VlmoError | undefined;

  constructor(setup: DecodeSetup, most: number) {
    this.#setup = setup;
    this.#most = most;
    this.#start();
  }

  add(queue: 'bulk' | 'urgent', picture: PictureTask, place: Job['place']): Promise<PictureOutcome> {
    if (this.#closed) return Promise.reject(this.#closed);
    this.#watch(+1);
    const done = new Promise<PictureOutcome>((resolve, reject) => {
      this.#waiting[queue].push({ picture, deaths: 0, place, resolve, reject });
    });
    this.#handOut();
    return done.finally(() => this.#watch(-1));
  }

  async close(): Promise<void> {
    this.#closed ??= new VlmoError('WORKER_CRASHED', 'Cannot decode pictures: the pool is closed');
    const closing = [...this.#decoders].map((decoder) => decoder.close());
    this.#reject(this.#closed);
    clearTimeout(this.#restart);
    await Promise.all(closing);
  }

  /** Level by level, so that no process has two pictures where another one has none. */
  #handOut(): void {
    for (let load = 0; load < SLOTS; load++) {
      for (const decoder of this.#decoders) {
        if (decoder.load !== load || !decoder.hasRoom) continue;
        const job = this.#next(decoder.isFresh);
        if (job) decoder.give(job);
      }
    }
    const { suspects, urgent, bulk } = this.#waiting;
    const waiting = suspects.length + urgent.length + bulk.length;
    let starting = [...this.#decoders].filter(({ state }) => state === 'starting').length;
    while (this.#decoders.size < this.#most && waiting > SLOTS * starting && !this.#restart) {
      if (!this.#start()) return;
      starting += 1;
    }
  }

  #next(isFresh: boolean): Job | undefined {
    const { suspects, urgent, bulk } = this.#waiting;
    return (isFresh ? suspects.shift() : undefined) ?? urgent.shift() ?? bulk.shift();
  }

  #start(): boolean {
    try {
      const decoder: Decoder<Job> = new Decoder(this.#setup, {
        onReady: () => {
          this.#unstarted = 0;
          this.#handOut();
        },
        onReply: (job, reply, readPixels) => {
          const outcome = toOutcome(job, reply, readPixels);
          const error = machineErrorOf(outcome);
          if (error) job.reject(error);
          else job.resolve(outcome);
          this.#handOut();
        },
        onEnd: (end, jobs) => {
          this.#decoders.delete(decoder);
          this.#recover(end, jobs);
        },
      });
      this.#decoders.add(decoder);
      return true;
    } catch (error) {
      this.#retryStart(errorMessage(error));
      return false;
    }
  }

  /** What was not begun is done again, and so is once what was: the end of its process may be nothing of its doing. */
  #recover(
    end: DecoderEnd,
    { decoding, sha256, waiting }: { decoding?: Job; sha256: string | null; waiting: readonly Job[] },
  ): void {
    if (this.#closed) {
      for (const { reject } of decoding ? [decoding, ...waiting] : waiting) reject(this.#closed);
      return;
    }
    this.#waiting.bulk.unshift(...waiting);
    if (end.kind === 'unstarted') {
      this.#retryStart(end.reason);
      return;
    }
    if (decoding) {
      const deaths = decoding.deaths + 1;
      const fault = decoderFault(end, decoding.picture.uri, { deaths, sha256, setup: this.#setup });
      if (fault) decoding.resolve({ kind: 'failed', error: fault, sha256 });
      else this.#waiting.suspects.push({ ...decoding, deaths });
    }
    this.#handOut();
  }

  /** A machine may have no room for a process in a moment; where others run, they go on. */
  #retryStart(reason: string): void {
    this.#unstarted += 1;
    if (this.#decoders.size === 0 && this.#unstarted >= MAX_UNSTARTED) {
      this.#unstarted = 0;
      this.#reject(
        new VlmoError(
          'DECODER_UNAVAILABLE',
          `Cannot start a decode process: expected it to take pictures, received ${reason}`,
        ),
      );
      return;
    }
    this.#restart ??= setTimeout(() => {
      this.#restart = undefined;
      this.#handOut();
    }, RESTART_MS * this.#unstarted).unref();
  }

  #reject(failure: VlmoError): void {
    for (const queue of Object.values(this.#waiting))
      for (const { reject } of queue.splice(0)) reject(failure);
  }

  /** Keeps the program from ending while a picture is on its way, and counts the time of those that are decoded. */
  #watch(change: number): void {
    this.#pending += change;
    if (this.#pending === 0) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    }
    if (this.#pending === 0 || this.#ticker) return;
    let last = performance.now();
    this.#ticker = setInterval(() => {
      const now = performance.now();
      const elapsedMs = Math.min(now - last, MAX_TICK_MS);
      last = now;
      // Replies that came by now are read first.
      setImmediate(() => {
        for (const decoder of this.#decoders) decoder.tick(elapsedMs);
      });
    }, TICK_MS);
  }
}

/** What says nothing of the picture: whoever asked is told, and no picture is listed for it. */
function machineErrorOf(outcome: PictureOutcome): VlmoError | undefined {
  if (outcome.kind !== 'failed') return undefined;
  const error = new VlmoError(outcome.error.code, outcome.error.message);
  return isOfTheMachine(error) ? error : undefined;
}

function toOutcome(
  { place }: Job,
  reply: DecodeReply,
  readPixels: (into: Uint8Array) => void,
): PictureOutcome {
  if (reply.kind === 'out-of-memory') throw new Error('A process that ends has answered: this is a bug');
  return reply.kind === 'ready' ? { ...reply, slot: place(readPixels) } : reply;
}
