import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorMessage } from '#errors.ts';
import type { ImageRecord } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import type { Finding } from './finding.ts';

const DIMENSIONS = 8;

/** Writes, finds and deletes a row where the index lies, in a folder of its own. */
export async function checkStore(index: string | undefined): Promise<Finding> {
  const name = 'store';
  const isThere = index !== undefined && (await stat(index).catch(() => undefined))?.isDirectory() === true;
  const parent = isThere ? index : tmpdir();
  try {
    const folder = await mkdtemp(join(parent, '.vlmo-doctor-'));
    try {
      const start = performance.now();
      await tryOut(join(folder, 'index'));
      const detail = `a row is written, found and deleted in "${parent}" (${Math.round(performance.now() - start)} ms)`;
      return { name, state: 'ok', detail };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    const detail = `cannot write and read in "${parent}" (${errorMessage(error)}); see that it is writable and has room`;
    return { name, state: 'broken', detail };
  }
}

async function tryOut(folder: string): Promise<void> {
  await using store = await openStore(folder, { create: true });
  const { images } = await store.openGeneration({
    ...{ collection: 'doctor', fingerprint: '0'.repeat(64), modelName: 'none', modelPath: folder },
    ...{ preprocess: 'fast', dimensions: DIMENSIONS },
  });
  const row: ImageRecord = {
    ...{
      key: 'a',
      source: 'doctor',
      id: 'a',
      uri: 'a.jpg',
      width: 1,
      height: 1,
      bytes: 1,
      stamp: null,
      described: null,
      sha256: '0'.repeat(64),
      format: 'jpeg',
    },
    ...{ meta: {}, indexedAt: new Date(), run: 'doctor' },
  };
  const vector = new Float32Array(DIMENSIONS).fill(Math.SQRT1_2 / 2);
  await images.upsert({ rows: [row], vectors: vector });
  const [found] = await images.nearest(vector, { k: 1 });
  if (found?.row.id !== 'a' || Math.abs(found.score - 1) > 1e-2)
    throw new Error(`a row that was written came back as ${JSON.stringify(found ?? null)}`);
  await images.delete(['a']);
  const left = await images.count();
  if (left !== 0) throw new Error(`${left} rows were left of one that was deleted`);
}
