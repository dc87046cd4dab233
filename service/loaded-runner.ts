import type { Device } from '#devices/device.ts';
import type { Model } from '#model/model.ts';
import { describePrecision, precisionOn } from '#model/precision.ts';
import type { Runner } from '#model/runner.ts';
import { shareRuns } from '#model/shared-runs.ts';
import type { PreprocessMode } from '#pictures/preprocess.ts';
import { createPools, type Pools } from '#workers/threads/create-pools.ts';
import { createPoolRunner } from '#workers/threads/pool-runner.ts';
import { createThreadRunner } from '#workers/threads/thread-runner.ts';
import { kept } from './kept.ts';
import type { Settings } from './settings.ts';

/** What runs a model as the opened index computes, made when it is first asked for: its pools, or the thread that calls. */
export interface LoadedRunner extends AsyncDisposable {
  runner(): Promise<Runner>;
  pools(): Promise<Pools>;
}

export interface LoadedRunnerSetup {
  readonly model: () => Promise<Model>;
  readonly device: () => Promise<Device>;
  readonly preprocess: () => PreprocessMode;
  readonly settings: Settings;
  /** Told where the model does not compute as it was asked to. */
  readonly note: (line: string) => void;
}

export function loadRunner({ model, device, preprocess, settings, note }: LoadedRunnerSetup): LoadedRunner {
  const compute = async () => ({
    ...settings,
    provider: (await device()).provider,
    cards: (await device()).cards,
    // One question needs one card.
    card: (await device()).cards[0],
    precision: precisionOn(await device(), settings.precision),
    preprocess: preprocess(),
  });
  const pools = kept(async () => {
    const made = await createPools(await model(), await compute());
    const line = describePrecision(made.inference.precision);
    if (line !== undefined) note(line);
    return made;
  });
  const threadRunner = kept(async () =>
    createThreadRunner(await model(), {
      ...(await compute()),
      onPrecision(found) {
        const line = describePrecision(found);
        if (line !== undefined) note(line);
      },
    }),
  );
  return {
    pools,
    runner: kept(
      async (): Promise<Runner> =>
        settings.compute === 'thread'
          ? threadRunner()
          : shareRuns(createPoolRunner(await model(), await pools())),
    ),
    async [Symbol.asyncDispose]() {
      await (await threadRunner.made())?.[Symbol.asyncDispose]();
      await (await pools.made())?.[Symbol.asyncDispose]();
    },
  };
}
