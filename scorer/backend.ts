import { Piscina } from 'piscina';
import { errorMessage, VlmoError } from '#errors.ts';
import type {
  BackendResult,
  BackendSetup,
  BackendTask,
  Candidates,
  OpenTask,
  ScoreTask,
} from './protocol.ts';

/** One thread with segments of its own on a device, seen from outside. */
export interface Backend extends AsyncDisposable {
  /** Throws SCORING_FAILED where the device cannot take it. */
  open(task: Omit<OpenTask, 'kind'>): Promise<void>;
  score(task: Omit<ScoreTask, 'kind'>): Promise<Candidates>;
  close(segment: number): Promise<void>;
}

export function createBackend(setup: BackendSetup): Backend {
  const pool = new Piscina({
    filename: import.meta.resolve('#scorer/score.worker.ts'),
    workerData: setup,
    minThreads: 1,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    recordTiming: false,
  });
  // A thread that dies takes its task with it, which says so.
  pool.on('error', () => {});

  async function run(task: BackendTask): Promise<Candidates | null> {
    const result = await pool.run(task).then(
      (value) => value as BackendResult,
      (error: unknown) => {
        const received = `the end of its thread (${errorMessage(error)})`;
        throw new VlmoError('SCORING_FAILED', `Cannot score: expected the best rows, received ${received}`);
      },
    );
    if (result.kind === 'failed') throw new VlmoError(result.error.code, result.error.message);
    return result.candidates;
  }

  return {
    async open(task) {
      await run({ kind: 'open', ...task });
    },
    async score(task) {
      const candidates = await run({ kind: 'score', ...task });
      if (!candidates) throw new Error('A backend scored nothing: this is a bug');
      return candidates;
    },
    async close(segment) {
      await run({ kind: 'close', segment });
    },
    [Symbol.asyncDispose]: () => pool.close(),
  };
}
