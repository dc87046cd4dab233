/** Upserts batches into the index of argv[2] until it is killed or fails; prints a line after each commit. */
import { VlmoError } from '#errors.ts';
import { openStore } from '#store/lance/open-store.ts';
import { generationSpec, imageRow, unitVectors } from './store-fixture.ts';

const ROWS = 200;

try {
  const store = await openStore(process.argv[2] as string, { create: true });
  const { images } = await store.openGeneration(generationSpec());
  const vectors = unitVectors(ROWS, 4);
  console.log('open');
  for (let batch = 0; ; batch = (batch + 1) % 10) {
    // Half of each batch replaces rows of the batch before.
    const rows = Array.from({ length: ROWS }, (_, index) => imageRow(`${batch * (ROWS / 2) + index}`));
    await images.upsert({ rows, vectors });
    console.log(`committed ${batch}`);
    if (batch === 9) await images.optimize();
  }
} catch (error) {
  console.log(
    error instanceof VlmoError ? `${error.code} ${error.retriable} ${error.message}` : String(error),
  );
}
