import { pictureValues } from '#pictures/picture-spec.ts';
import type { Runner, RunOptions, RunTask } from './runner.ts';

/** Of one run: more gain next to nothing, and everybody in it waits for all of it. */
const MAX_TEXTS = 32;
const MAX_PICTURES = 16;

type SharedTask = Extract<RunTask, { kind: 'texts' | 'images' }>;

interface Waiting {
  readonly task: SharedTask;
  readonly options: RunOptions;
  readonly size: number;
  readonly resolve: (vectors: Float32Array) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * A runner whose urgent callers share runs: one that finds a thread idle begins at once; while all are busy, those who
 * come wait and go together into the next run that begins.
 *
 *     a ──► thread 1 [a       ][c d e      ]
 *     b ──► thread 2 [b   ][ ]
 *     c, d, e wait ─────────┘   an aborted d leaves before, or is not answered; nobody beside it notices
 *
 * Bulk work, which comes in batches of its own, pairs for the cross-encoder, and who asks to be alone go through as they are.
 */
export function shareRuns(runner: Runner): Runner {
  const waiting: Waiting[] = [];
  let running = 0;

  function run(task: RunTask, options: RunOptions = {}): Promise<Float32Array> {
    const { priority, signal, isAlone } = options;
    if (priority === 'bulk' || isAlone || !isShared(task)) return runner.run(task, options);
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const at = waiting.indexOf(entry);
        if (at >= 0) waiting.splice(at, 1);
        entry.reject(signal?.reason);
      };
      const stay = (): void => signal?.removeEventListener('abort', leave);
      const entry: Waiting = {
        ...{ task, options, size: sizeOf(task) },
        resolve: (vectors) => [stay(), resolve(vectors)],
        reject: (reason) => [stay(), reject(reason)],
      };
      signal?.addEventListener('abort', leave, { once: true });
      waiting.push(entry);
      begin();
    });
  }

  function begin(): void {
    while (running < runner.threads && waiting.length > 0) {
      running += 1;
      void runTogether(runner, takeBatch(waiting)).finally(() => {
        running -= 1;
        begin();
      });
    }
  }

  return { ...{ model: runner.model, threads: runner.threads }, decode: runner.decode, run };
}

/** The one that waits longest, and others of its kind in their order, as long as there is room. */
function takeBatch(waiting: Waiting[]): Waiting[] {
  const kind = waiting[0]?.task.kind;
  const room = kind === 'texts' ? MAX_TEXTS : MAX_PICTURES;
  const batch: Waiting[] = [];
  let size = 0;
  for (const entry of waiting) {
    if (entry.task.kind !== kind || (batch.length > 0 && size + entry.size > room)) continue;
    size += entry.size;
    batch.push(entry);
  }
  for (const entry of batch) waiting.splice(waiting.indexOf(entry), 1);
  return batch;
}

/** Settles all of a batch; where the whole run fails, each is run by itself, so that only the one at fault fails. */
async function runTogether(runner: Runner, batch: readonly Waiting[]): Promise<void> {
  const [first] = batch;
  if (first && batch.length === 1) {
    await runner.run(first.task, first.options).then(first.resolve, first.reject);
    return;
  }
  try {
    let from = 0;
    const cut = new Set<number>();
    const onCut = (places: readonly number[]): void => {
      for (const place of places) cut.add(place);
    };
    const vectors = await runner.run(
      join(
        runner,
        batch.map(({ task }) => task),
      ),
      { onCut },
    );
    const width = vectors.length / batch.reduce((sum, { size }) => sum + size, 0);
    for (const { size, options, resolve } of batch) {
      const places = Array.from({ length: size }, (_, i) => i).filter((i) => cut.has(from + i));
      if (places.length > 0) options.onCut?.(places);
      resolve(vectors.slice(from * width, (from + size) * width));
      from += size;
    }
  } catch {
    for (const entry of batch) {
      if (entry.options.signal?.aborted) continue;
      await runner.run(entry.task, entry.options).then(entry.resolve, entry.reject);
    }
  }
}

function isShared(task: RunTask): task is SharedTask {
  return task.kind === 'texts' || task.kind === 'images';
}

function sizeOf(task: SharedTask): number {
  return task.kind === 'texts' ? task.texts.length : task.count;
}

/** One task of all of a kind. */
function join({ model }: Runner, tasks: readonly SharedTask[]): SharedTask {
  const pictures = tasks.flatMap((task) => (task.kind === 'images' ? [task] : []));
  if (pictures.length === 0)
    return { kind: 'texts', texts: tasks.flatMap((task) => (task.kind === 'texts' ? task.texts : [])) };
  const bytes = pictureValues(model.picture);
  const count = pictures.reduce((sum, task) => sum + task.count, 0);
  const pixels = new SharedArrayBuffer(count * bytes);
  let at = 0;
  for (const task of pictures) {
    new Uint8Array(pixels, at * bytes).set(new Uint8Array(task.pixels, 0, task.count * bytes));
    at += task.count;
  }
  return { kind: 'images', pixels, count };
}
