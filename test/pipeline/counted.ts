import { basename } from 'node:path';
import type { TestContext } from 'node:test';
import type { IndexSummary } from '#runs/index-source.ts';
import type { Source } from '#sources/item.ts';
import { memberOf } from '#uri.ts';
import { type Engine, type Index, run } from './pipeline-fixture.ts';

export interface Counted {
  readonly summary: IndexSummary;
  /** Names of the files that were read, in order; of what lies in a tar its name there. */
  readonly read: readonly string[];
  /** Runs of the model. */
  readonly embedded: number;
}

/** A run whose files are counted as they go to where they are read. */
export async function counted(
  engine: Engine,
  index: Index,
  source: Source,
  options: { readonly verify?: boolean; readonly retryFailed?: boolean } = {},
): Promise<Counted> {
  const read: string[] = [];
  let embedded = 0;
  const { preprocess, inference } = engine;
  const counting: Engine = {
    ...engine,
    preprocess: {
      ...preprocess,
      concurrency: preprocess.concurrency,
      run(task) {
        read.push(...task.pictures.map(({ uri }) => memberOf(uri)?.place.get('name') ?? basename(uri)));
        return preprocess.run(task);
      },
    },
    inference: {
      ...inference,
      threads: inference.threads,
      run(...args: Parameters<typeof inference.run>) {
        embedded += 1;
        return inference.run(...args);
      },
    },
  };
  const summary = await run(counting, index, source, options);
  return { summary, read: read.sort(), embedded };
}

/** Some time passes: files of before are no longer new. */
export function passTime(t: TestContext): void {
  const now = Date.now;
  t.mock.method(Date, 'now', () => now() + 10_000);
}
