/**
 * One of several writers: `node shared-writer.ts INDEX NAME ROUNDS`. Every round upserts rows that all writers have and
 * rows of its own, as pictures, captions and failures, and results of chunks that all writers have.
 */
import { openStore } from '#store/lance/open-store.ts';
import { captionRow, failureRecord, generationSpec, imageRow, unitVectors } from './store-fixture.ts';

const SHARED = 40;
const OWN = 10;
const [index = '', name = '', rounds = ''] = process.argv.slice(2);

await using store = await openStore(index, { create: true });
const { images, captions } = await store.openGeneration(generationSpec());
const vectors = unitVectors(SHARED + OWN, 4);
console.log('open');
for (let round = 0; round < Number(rounds); round++) {
  const ids = [
    ...Array.from({ length: SHARED }, (_, i) => `shared ${round} ${i}`),
    ...Array.from({ length: OWN }, (_, i) => `${name} ${round} ${i}`),
  ];
  await Promise.all([
    images.upsert({ rows: ids.map((id) => imageRow(id, { run: name })), vectors }),
    captions.upsert({ rows: ids.map((id) => captionRow(id, { run: name })), vectors }),
    store.failures.upsert(ids.map((id) => failureRecord(id, { run: name }))),
    store.ledger.settle(
      ids.map((chunk, i) => ({
        run: 'r',
        chunk,
        stored: i,
        skipped: 0,
        failed: 0,
        kinds: null,
        at: new Date(),
      })),
    ),
  ]);
  if (name === 'tidy') await images.optimize();
}
