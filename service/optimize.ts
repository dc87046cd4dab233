import { VlmoError } from '#errors.ts';
import { activeTables } from '#search/active-tables.ts';
import type { SearchTarget } from '#search/request.ts';
import type { GenerationTables } from '#store/contract.ts';
import type { OptimizedTable, OptimizeOptions } from './contract.ts';
import type { IndexParts } from './index-parts.ts';

/** Throws ANN_UNSUITABLE where an index was to be built, and no table can have one. */
export async function optimizeIndex(
  { store }: IndexParts,
  options: OptimizeOptions = {},
): Promise<readonly OptimizedTable[]> {
  const tables = await activeTables(store, options.collection ?? 'default');
  const optimized: OptimizedTable[] = [];
  const refused: VlmoError[] = [];
  for (const target of ['images', 'captions'] as const) {
    options.signal?.throwIfAborted();
    const table = tables[target];
    const start = performance.now();
    if (options.ann === 'drop') await table.dropVectorIndex();
    await table.optimize();
    const seconds = secondsSince(start);
    const built = options.ann === 'build' ? await build(tables, target, options) : undefined;
    if (built instanceof VlmoError) refused.push(built);
    optimized.push({
      table: target,
      rows: await table.count(),
      seconds,
      ann: (await table.vectorIndex()) ?? null,
      annSeconds: typeof built === 'number' ? built : null,
      reason: built instanceof VlmoError ? built.message : null,
    });
  }
  if (refused.length === optimized.length) throw refused[0];
  await store.failures.optimize();
  return optimized;
}

/** Seconds that it took, or why the table cannot have an index. */
async function build(
  tables: GenerationTables,
  target: SearchTarget,
  { onBuild }: OptimizeOptions,
): Promise<number | VlmoError> {
  const start = performance.now();
  const showing = onBuild?.(target, await tables[target].count());
  try {
    await tables[target].buildVectorIndex();
    return secondsSince(start);
  } catch (error) {
    if (error instanceof VlmoError && error.code === 'ANN_UNSUITABLE') return error;
    throw error;
  } finally {
    showing?.[Symbol.dispose]();
  }
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}
