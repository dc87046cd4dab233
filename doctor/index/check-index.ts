import { stat } from 'node:fs/promises';
import { errorMessage, VlmoError } from '#errors.ts';
import { type IndexReport, inspectTables } from '#store/lance/inspect-tables.ts';
import { openStore } from '#store/lance/open-store.ts';
import type { Finding } from '../finding.ts';
import { checkLeftovers } from './check-leftovers.ts';
import { checkLookups } from './check-lookups.ts';
import { checkOddPictures } from './check-odd-pictures.ts';
import { describeRowFaults, findRowFaults } from './check-rows.ts';
import { checkRegistry, checkTables } from './check-tables.ts';

/**
 * Looks an index through, from its marker to every row, and says of what is wrong how it is mended. Nothing is written.
 * `onRows` is told how many rows were looked at since it was called last.
 */
export async function* checkIndex(
  index: string,
  onRows: (count: number) => void = () => {},
): AsyncGenerator<Finding> {
  const name = 'index';
  const found = await stat(index).catch(() => undefined);
  if (found && !found.isDirectory())
    return yield { name, state: 'broken', detail: `"${index}" is not a folder; name another` };
  try {
    const report = await inspectTables(index, onRows);
    yield checkTables(index, report);
    yield* checkOpened(index, report, onRows);
  } catch (error) {
    const isNew = error instanceof VlmoError && error.code === 'STORE_NOT_FOUND';
    if (isNew) yield { name, state: 'note', detail: `"${index}" holds no index yet; vlmo index makes one` };
    else yield { name, state: 'broken', detail: errorMessage(error) };
  }
}

async function* checkOpened(
  index: string,
  report: IndexReport,
  onRows: (count: number) => void,
): AsyncGenerator<Finding> {
  await using store = await openStore(index, { create: false });
  const generations = await store.generations();
  const active = new Map<string, string | undefined>();
  for (const collection of await store.collections())
    active.set(collection, (await store.activeGeneration(collection))?.name);
  const { finding, stray } = checkRegistry(report, generations, active);
  yield finding;
  yield await checkLeftovers(index, stray);
  // What cannot be read was said; its rows cannot be looked at.
  const isWhole = report.tables.every(({ fault }) => fault === undefined) && finding.state === 'ok';
  if (!isWhole) return;
  yield* describeRowFaults(index, await findRowFaults(store, onRows));
  const textIndexed = report.tables.filter(({ hasTextIndex }) => hasTextIndex).map((table) => table.name);
  yield await checkOddPictures(index, store, onRows);
  yield await checkLookups(index, store, new Set(textIndexed));
}
