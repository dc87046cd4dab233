import { createThreadPool } from '#devices/thread-pool.ts';
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
  /** Throws SCORING_FAILED where the device cannot take it, and, as the others, THREAD_UNAVAILABLE. */
  open(task: Omit<OpenTask, 'kind'>): Promise<void>;
  score(task: Omit<ScoreTask, 'kind'>): Promise<Candidates>;
  close(segment: number): Promise<void>;
}

export function createBackend(setup: BackendSetup): Backend {
  const pool = createThreadPool({
    entry: import.meta.resolve('#scorer/score.worker.ts'),
    workerData: setup,
    threads: 1,
  });

  async function run(task: BackendTask): Promise<Candidates | null> {
    const result = await pool.run(task).then(
      (value) => value as BackendResult,
      (error: unknown) => {
        if (error instanceof VlmoError) throw error;
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
