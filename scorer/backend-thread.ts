import { errorMessage } from '#errors.ts';
import { CpuSegments } from './cpu/cpu-segments.ts';
import { CudaSegments } from './cuda/cuda-segments.ts';
import type { BackendResult, BackendSetup, BackendTask, Candidates } from './protocol.ts';

/** What a scoring thread does: it keeps segments on its device and finds their rows in doubt. It never rejects. */
export function createBackendThread({
  provider,
  card,
}: BackendSetup): (task: BackendTask) => Promise<BackendResult> {
  const segments =
    provider === 'cuda'
      ? new CudaSegments(card === undefined ? 'cuda' : { name: 'cuda', deviceId: card })
      : new CpuSegments();

  async function run(task: BackendTask): Promise<Candidates | null> {
    if (task.kind === 'score') return segments.score(task);
    await (task.kind === 'open' ? segments.open(task) : segments.close(task.segment));
    return null;
  }

  return (task) =>
    run(task).then(
      (candidates) => ({ kind: 'done', candidates }),
      (error: unknown) => {
        const received = `an error (${errorMessage(error)})`;
        const message = `Cannot score on ${provider}: expected the best rows, received ${received}`;
        return { kind: 'failed', error: { code: 'SCORING_FAILED', message } };
      },
    );
}
