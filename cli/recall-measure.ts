import type { Config } from '#config/options.ts';
import { errorMessage, VlmoError } from '#errors.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { measureRecall } from '#search/measure-recall.ts';
import { openGenerationModel } from '#search/query.ts';
import { indexMissing } from '#search/ranking/approximate-ranking.ts';
import type { SearchTarget } from '#search/request.ts';
import { sampleQueries } from '#search/sample-queries.ts';
import { textLines } from '#sources/text-lines.ts';
import type { GenerationTables } from '#store/contract.ts';
import { defaultProbes, partitionsOf } from '#store/lance/vector-index.ts';
import { noteEvery } from './note-every.ts';
import { note } from './output.ts';
import type { RecallCurve } from './recall-plot.ts';
import { resolveModel } from './resolve-model.ts';

export type MeasureFlags = Config<'queries' | 'sample' | 'seed' | 'k' | 'model'>;

export interface MeasuredRecall extends RecallCurve {
  readonly target: SearchTarget;
  readonly defaultProbes: number;
}

/**
 * Recall and latency of each table that has an approximate index. Queries are the lines of a file, or else what the
 * collection stores of the other kind: captions find pictures, and pictures find captions. Throws ANN_INDEX_MISSING
 * where no table has one, and USAGE_INVALID where there is nothing to ask.
 */
export async function measureTables(
  tables: GenerationTables,
  flags: MeasureFlags,
): Promise<MeasuredRecall[]> {
  const targets: SearchTarget[] = [];
  for (const target of ['images', 'captions'] as const) {
    if (await tables[target].vectorIndex()) targets.push(target);
  }
  if (targets.length === 0) throw indexMissing(tables, 'images');
  const lines =
    flags.queries === undefined ? undefined : await embedLines(tables, flags.queries, flags.model);
  const measured: MeasuredRecall[] = [];
  for (const target of targets) {
    const { title, queries } = lines
      ? { title: `${flags.queries} → ${target}`, queries: lines }
      : await storedQueries(tables, target, flags);
    const table = tables[target];
    const rows = await table.count();
    const { k } = flags;
    let done = 0;
    const onProgress = (count: number): void => {
      done = count;
    };
    using _ = noteEvery(() => `Measuring ${title}: ${done} of ${queries.length} queries`);
    const report = await measureRecall({ table, queries, k, probes: settings(rows), onProgress });
    measured.push({ title, target, report, defaultProbes: defaultProbes(rows) });
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

async function storedQueries(
  tables: GenerationTables,
  target: SearchTarget,
  { sample, seed }: MeasureFlags,
): Promise<{ readonly title: string; readonly queries: readonly Float32Array[] }> {
  const other = target === 'images' ? 'captions' : 'images';
  const isOther = (await tables[other].count()) > 0;
  const from = isOther ? other : target;
  if (!isOther)
    note(`There are no ${other} to find ${target} by: ${target} find each other, which is easier.`);
  return { title: `${from} → ${target}`, queries: await sampleQueries(tables[from], sample, seed) };
}

const TEXTS_AT_ONCE = 32;

async function embedLines(
  { record }: GenerationTables,
  file: string,
  modelPath: string | undefined,
): Promise<Float32Array[]> {
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
  const path = modelPath === undefined ? record.modelPath : resolveModel(modelPath);
  const model = await openGenerationModel(record, path);
  await using vlmo = await loadVlmo(model, { graphs: ['text'] });
  const vectors: Float32Array[] = [];
  for (let start = 0; start < lines.length; start += TEXTS_AT_ONCE) {
    const { data, dims } = await vlmo.embedTexts(lines.slice(start, start + TEXTS_AT_ONCE));
    const width = dims[1] ?? 0;
    for (let at = 0; at < data.length; at += width) vectors.push(data.slice(at, at + width));
  }
  return vectors;
}
