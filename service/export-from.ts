import { resolve } from 'node:path';
import { type Exported, type ExportProgress, exportTables } from '#exports/export-tables.ts';
import { failureTable, outputTables } from '#exports/layouts.ts';
import { type Export, type ExportRequest, exportRequestSchema } from '#exports/request.ts';
import { parseFilter } from '#search/filter/filter.ts';
import { parseRequest } from '#search/request.ts';
import type { GenerationTables } from '#store/contract.ts';
import type { ProgressOptions } from './contract.ts';
import { chooseGeneration } from './generations.ts';
import type { IndexParts } from './index-parts.ts';

const NEVER = new AbortController().signal;

/** Writes what a generation stores into files of another layout; see `exportTables`. */
export async function exportFrom(
  { store, note }: IndexParts,
  asked: ExportRequest,
  { signal = NEVER, onStart }: ProgressOptions<ExportProgress> = {},
): Promise<Exported> {
  const request = parseRequest(exportRequestSchema, asked, 'export');
  const { to, collection, partRows, failures } = request;
  const record = await chooseGeneration(store, collection, request.generation);
  const tables = { ...(await store.tables(record)), record };
  const wanted = await whatIsWanted(request, tables);
  const written = outputTables(to, tables, wanted);
  if (failures) written.push(failureTable(to, store.failures, collection));
  const exported = await exportTables({
    ...{ out: resolve(request.out), tables: written, partRows, signal, onStart },
    versions: [await tables.images.version(), await tables.captions.version()],
    asked: {
      ...{ to, collection, generation: record.name, fingerprint: record.fingerprint },
      ...{ model: record.modelName, dimensions: record.dimensions, dtype: DTYPES[to] },
      ...{ in: inWords(wanted), where: request.where ?? null, partRows, failures },
    },
  });
  if (exported.hasChanged)
    note('The index has changed since this export was begun: parts of before hold what was stored then.');
  return exported;
}

const DTYPES = {
  'clip-retrieval': 'float16',
  npy: 'float16',
  arrow: 'float16',
  jsonl: 'float16',
  parquet: 'float32',
} as const;

async function whatIsWanted({ to, in: target, where }: Export, tables: GenerationTables) {
  const isPairs = to === 'clip-retrieval';
  const only = target ?? (where !== undefined || isPairs ? 'images' : undefined);
  const filter =
    where === undefined ? undefined : parseFilter(where, only === 'captions' ? 'caption' : 'image');
  const images = only !== 'captions';
  // A picture goes with its caption there, whichever of both was asked for; but not where there are none.
  const captions = only !== 'images' || (isPairs && (await tables.captions.count()) > 0);
  return { images, captions, where: filter };
}

function inWords({ images, captions }: { readonly images: boolean; readonly captions: boolean }): string {
  return [...(images ? ['images'] : []), ...(captions ? ['captions'] : [])].join(' and ');
}
