import type { InferencePool } from './pools.ts';

/** The pools of several cards as one: each run goes to the card that has the fewest. */
export async function openOnCards(
  cards: readonly number[],
  open: (card: number) => Promise<InferencePool>,
): Promise<InferencePool> {
  const opened = await Promise.allSettled(cards.map(open));
  const pools = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const close = async (): Promise<void> => {
    for (const pool of pools) await pool[Symbol.asyncDispose]();
  };
  const failure = opened.find((one) => one.status === 'rejected');
  if (failure) {
    await close();
    throw failure.reason;
  }
  const load = pools.map(() => 0);
  const onLeast = async <T>(run: (pool: InferencePool) => Promise<T>): Promise<T> => {
    const card = load.indexOf(Math.min(...load));
    load[card] = (load[card] as number) + 1;
    try {
      return await run(pools[card] as InferencePool);
    } finally {
      load[card] = (load[card] as number) - 1;
    }
  };
  return {
    threads: pools.reduce((sum, { threads }) => sum + threads, 0),
    // One card that computes in 32 bits is the one to be said.
    precision: (pools.find(({ precision }) => precision.reason !== null) ?? (pools[0] as InferencePool))
      .precision,
    run: (task, onCut) => onLeast((pool) => pool.run(task, onCut)),
    runUrgent: (task, onCut) => onLeast((pool) => pool.runUrgent(task, onCut)),
    [Symbol.asyncDispose]: close,
  };
}
