import { cut } from '#batches.ts';
import { errorMessage, VlmoError } from '#errors.ts';
import { activeTables } from '#search/active-tables.ts';
import { measureRecall } from '#search/measure-recall.ts';
import { indexMissing } from '#search/ranking/approximate-ranking.ts';
import type { SearchTarget } from '#search/request.ts';
import { sampleQueries } from '#search/sample-queries.ts';
import { textLines } from '#sources/text-lines.ts';
import type { GenerationTables } from '#store/contract.ts';
import { defaultProbes, partitionsOf } from '#store/lance/vector-index.ts';
import { embedTexts } from './answer-embed.ts';
import type { MeasuredRecall, MeasureOptions } from './contract.ts';
import type { IndexParts } from './index-parts.ts';

/**
 * Recall and latency of each table that has an approximate index. Queries are the lines of a file, or else what the
 * collection stores of the other kind: captions find pictures, and pictures find captions. Throws ANN_INDEX_MISSING
 * where no table has one, and USAGE_INVALID where there is nothing to ask.
 */
export async function measureIndex(
  parts: IndexParts,
  options: MeasureOptions = {},
): Promise<readonly MeasuredRecall[]> {
  const { collection = 'default', queries: file, k = 10, signal, onMeasure } = options;
  const tables = await activeTables(parts.store, collection);
  const targets: SearchTarget[] = [];
  for (const target of ['images', 'captions'] as const) {
    if (await tables[target].vectorIndex()) targets.push(target);
  }
  if (targets.length === 0) throw indexMissing(tables, 'images');
  const lines = file === undefined ? undefined : await embedLines(parts, tables, file, signal);
  const measured: MeasuredRecall[] = [];
  for (const target of targets) {
    signal?.throwIfAborted();
    const { title, queries } = lines
      ? { title: `${file} → ${target}`, queries: lines }
      : await storedQueries(tables, target, options);
    const table = tables[target];
    const rows = await table.count();
    let done = 0;
    const onProgress = (count: number): void => {
      done = count;
    };
    const showing = onMeasure?.(title, queries.length, () => done);
    try {
      const report = await measureRecall({ table, queries, k, probes: settings(rows), onProgress });
      measured.push({ title, target, report, defaultProbes: defaultProbes(rows) });
    } finally {
      showing?.[Symbol.dispose]();
    }
  }
  return measured;
}

/** One, two, four … partitions, the default, and all. */
function settings(rows: number): number[] {
  const all = partitionsOf(rows);
  const powers = Array.from({ length: Math.ceil(Math.log2(all)) }, (_, i) => 2 ** i);
  const usual = Math.min(defaultProbes(rows), all);
  return [...new Set([...powers, usual, all])].sort((a, b) => a - b);
}

/** Rows find rows of their own kind only where there are none of the other, which is easier. */
async function storedQueries(
  tables: GenerationTables,
  target: SearchTarget,
  { sample = 200, seed = 1 }: MeasureOptions,
): Promise<{ readonly title: string; readonly queries: readonly Float32Array[] }> {
  const other = target === 'images' ? 'captions' : 'images';
  const from = (await tables[other].count()) > 0 ? other : target;
  return { title: `${from} → ${target}`, queries: await sampleQueries(tables[from], sample, seed) };
}

const TEXTS_AT_ONCE = 32;

async function embedLines(
  { generations }: IndexParts,
  { record }: GenerationTables,
  file: string,
  signal: AbortSignal | undefined,
): Promise<readonly Float32Array[]> {
  const lines: string[] = [];
  try {
    for await (const item of textLines(file)) {
      if (item.kind === 'broken') throw new VlmoError(item.error.code, item.error.message);
      if (item.kind === 'caption') lines.push(item.caption);
    }
  } catch (cause) {
    const message = `Cannot measure by the queries of "${file}": ${errorMessage(cause)}`;
    throw new VlmoError('USAGE_INVALID', message, { cause });
  }
  if (lines.length === 0) {
    const message = `Cannot measure by the queries of "${file}": expected a query a line, received none`;
    throw new VlmoError('USAGE_INVALID', message);
  }
  return generations.use(record, async ({ encoder: load }) => {
    const encoder = await load();
    const vectors: Float32Array[] = [];
    for (const some of cut(lines, TEXTS_AT_ONCE))
      vectors.push(...(await embedTexts(encoder, some, { signal })));
    return vectors;
  });
}
