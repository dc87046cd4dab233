import { type ChildProcess, fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { pictureValues } from '#pictures/picture-spec.ts';
import { openPixelFile, PixelSlots, SLOTS } from './pixel-file.ts';
import type {
  DecodeReply,
  DecodeRequest,
  DecoderGreeting,
  DecoderSetup,
  DecodeSetup,
  PictureTask,
} from './protocol.ts';

/** Why a process has ended: what its parent, itself or somebody else did. */
export type DecoderEnd =
  | { readonly kind: 'unstarted'; readonly reason: string }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'out-of-memory' }
  | { readonly kind: 'died'; readonly how: string; readonly isKilled: boolean };

/** A picture on its way through a process. */
export interface DecodeJob {
  readonly picture: PictureTask;
  /** Processes that have ended while they decoded it. */
  readonly deaths: number;
}

export interface DecoderEvents<Job> {
  onReady(): void;
  onReply(job: Job, reply: DecodeReply, readPixels: (into: Uint8Array) => void): void;
  /** `decoding` was being decoded, with the digest of its content where it was read by then; `waiting` was not begun. */
  onEnd(
    end: DecoderEnd,
    jobs: { readonly decoding?: Job; readonly sha256: string | null; readonly waiting: readonly Job[] },
  ): void;
}

/** What libvips gives up itself is not worth a process: it has this much longer. */
const GRACE_MS = 500;
/** The last of what a process says on stderr, which is kept for the reason why it could not start. */
const STDERR_BYTES = 2000;

/** One decode process, as its parent sees it. It has at most SLOTS pictures at a time, and decodes them one by one. */
export class Decoder<Job extends DecodeJob> {
  readonly #child: ChildProcess;
  readonly #file: number;
  readonly #slots: PixelSlots;
  readonly #events: DecoderEvents<Job>;
  readonly #limitMs: number;
  readonly #jobs: { readonly number: number; readonly job: Job }[] = [];
  readonly #released = Promise.withResolvers<void>();
  #isReleased = false;
  #number = 0;
  #isReady = false;
  #spentMs = 0;
  #end: DecoderEnd | undefined;
  #stderr = '';

  /** Throws DECODER_UNAVAILABLE, and what `fork` throws. */
  constructor(setup: DecodeSetup, events: DecoderEvents<Job>) {
    const pictureBytes = pictureValues(setup.spec);
    this.#events = events;
    this.#limitMs = setup.timeoutSeconds * 1000 + GRACE_MS;
    this.#file = openPixelFile(pictureBytes);
    this.#slots = new PixelSlots(this.#file, pictureBytes);
    try {
      this.#child = start(setup, this.#file);
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
    this.#child.once('message', (greeting: DecoderGreeting) => this.#greet(greeting));
    this.#child.once('error', ({ message }) => {
      this.#finish({ kind: 'unstarted', reason: message });
      if (this.#child.pid === undefined) this.#release();
    });
    this.#child.once('close', (code, signal) => {
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
      const reason = [`it ended with ${how}`, this.#stderr.trim()].filter(Boolean).join(': ');
      if (this.#isReady) this.#finish({ kind: 'died', how, isKilled: signal === 'SIGKILL' });
      else this.#finish({ kind: 'unstarted', reason });
      this.#release();
    });
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#stderr = (this.#stderr + text.toString()).slice(-STDERR_BYTES);
    });
    // It keeps nobody from ending: its pool does, while a picture is on its way.
    this.#child.unref();
    this.#child.channel?.unref();
    (this.#child.stderr as Socket | null)?.unref();
  }

  get state(): 'starting' | 'ready' | 'ended' {
    if (this.#end) return 'ended';
    return this.#isReady ? 'ready' : 'starting';
  }

  /** Pictures that it has. */
  get load(): number {
    return this.#jobs.length;
  }

  /** Whether nothing was ever decoded in it: what makes it end then is the first picture it gets. */
  get isFresh(): boolean {
    return this.#number === 0;
  }

  /** Whether it takes another picture: one that may be the end of it is alone. */
  get hasRoom(): boolean {
    const isAlone = this.#jobs.some(({ job }) => job.deaths > 0);
    return this.state === 'ready' && this.#jobs.length < SLOTS && !isAlone;
  }

  give(job: Job): void {
    const number = ++this.#number;
    this.#jobs.push({ number, job });
    const request: DecodeRequest = { number, picture: job.picture };
    // A channel that closed just now: the end of the process answers.
    this.#child.send(request, undefined, undefined, () => undefined);
  }

  /**
   * Counts the time of the picture that is decoded, and ends the process where it is over. Time is given in ticks, so
   * that a machine or a process group that was stopped for a while counts as one of them.
   */
  tick(elapsedMs: number): void {
    if (this.#jobs.length === 0 || this.#end) return;
    this.#spentMs += elapsedMs;
    if (this.#spentMs > this.#limitMs) this.#finish({ kind: 'timeout' });
  }

  /** Ends the process, whatever it does; resolves when it is gone. */
  async close(): Promise<void> {
    this.#child.ref();
    this.#finish({ kind: 'died', how: 'the end of its pool', isKilled: true });
    await this.#released.promise;
  }

  #greet(greeting: DecoderGreeting): void {
    if ('error' in greeting) {
      this.#finish({ kind: 'unstarted', reason: greeting.error.message.slice(0, STDERR_BYTES) });
      return;
    }
    this.#isReady = true;
    this.#child.on('message', (reply: DecodeReply) => this.#take(reply));
    this.#events.onReady();
  }

  #take(reply: DecodeReply): void {
    if (this.#end) return;
    if (reply.kind === 'out-of-memory') {
      this.#finish({ kind: 'out-of-memory' });
      return;
    }
    const done = this.#jobs.shift();
    if (!done) throw new Error('A decode process answered what nobody asked: this is a bug');
    this.#spentMs = 0;
    this.#events.onReply(done.job, reply, (into) => this.#slots.readPixels(done.number, into));
  }

  /** The first reason counts: what follows from it comes later. */
  #finish(end: DecoderEnd): void {
    if (this.#end) return;
    this.#end = end;
    this.#child.kill('SIGKILL');
    const [first, ...rest] = this.#jobs;
    const sha256 = first ? this.#slots.readHead(first.number) : null;
    const waiting = rest.map(({ job }) => job);
    this.#jobs.length = 0;
    this.#events.onEnd(end, { ...(first && { decoding: first.job }), sha256, waiting });
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    closeSync(this.#file);
    this.#released.resolve();
  }
}

/** Small on purpose: the process computes nothing in JavaScript that would need more. */
const NODE_FLAGS = ['--expose-gc', '--max-semi-space-size=4', '--no-warnings'];

function start(setup: DecodeSetup, pixelFile: number): ChildProcess {
  const entry = fileURLToPath(import.meta.resolve('#workers/decode/decoder.process.ts'));
  const decoderSetup: DecoderSetup = { decode: setup, pixelFile: 4 };
  return fork(entry, [JSON.stringify(decoderSetup)], {
    serialization: 'advanced',
    execArgv: NODE_FLAGS,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', pixelFile],
    // One picture is decoded at a time; arenas of malloc beyond that only keep memory.
    env: { ...process.env, UV_THREADPOOL_SIZE: '2', MALLOC_ARENA_MAX: '2' },
    // Ctrl-C goes to the program alone, also while a process starts and cannot ignore it yet.
    detached: process.platform !== 'win32',
  });
}
