import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generationSpec, imageKeys, imageRow, unitVectors } from '../lance/store-fixture.ts';
import type { OpenStore } from './open.ts';

/** Generations and which of them serves. */
export function generationSuite(open: OpenStore): void {
  test('Store.openGeneration notes where the model of a known generation lies now', async (t) => {
    const store = await open(t);
    const { record } = await store.openGeneration(generationSpec({ modelPath: '/models/before' }));
    await store.openGeneration(generationSpec({ modelPath: '/models/after' }));
    const expected = { ...record, modelPath: '/models/after' };
    assert.deepEqual(await store.activeGeneration(record.collection), expected);
    assert.deepEqual(await store.generations(), [expected]);
  });

  test('Store keeps the vectors of two generations apart', async (t) => {
    const store = await open(t);
    const one = await store.openGeneration(generationSpec());
    const two = await store.openGeneration(generationSpec({ fingerprint: 'f'.repeat(32), dimensions: 8 }));
    await one.images.upsert({ rows: [imageRow('a')], vectors: unitVectors(1, 4) });
    await two.images.upsert({ rows: [imageRow('b')], vectors: unitVectors(1, 8) });
    assert.deepEqual(
      [...(await one.images.find(imageKeys(['a', 'b']))).values()].map(({ id }) => id),
      ['a'],
    );
    assert.deepEqual(
      [...(await two.images.find(imageKeys(['a', 'b']))).values()].map(({ id }) => id),
      ['b'],
    );
  });

  test('Store makes the first generation of a collection active, and another one when told', async (t) => {
    const store = await open(t);
    assert.equal(await store.activeGeneration('default'), undefined);
    const { record: first } = await store.openGeneration(generationSpec());
    const { record: second } = await store.openGeneration(generationSpec({ fingerprint: 'f'.repeat(32) }));
    await store.openGeneration(generationSpec({ collection: 'cats' }));
    assert.deepEqual(await store.activeGeneration('default'), first);
    await store.activate(second);
    assert.deepEqual(await store.activeGeneration('default'), second);
    assert.deepEqual(await store.collections(), ['cats', 'default']);
    const { images } = await store.tables(second);
    assert.equal(await images.count(), 0);
  });

  test('Store.drop forgets a generation with its rows; made again it is empty', async (t) => {
    const store = await open(t);
    const { record: first } = await store.openGeneration(generationSpec());
    const spec = generationSpec({ fingerprint: 'f'.repeat(32) });
    const { record, images } = await store.openGeneration(spec);
    await images.upsert({ rows: [imageRow('a')], vectors: unitVectors(1, 4) });
    await store.drop(record);
    assert.deepEqual(await store.generations(), [first]);
    await assert.rejects(store.tables(record));
    const again = await store.openGeneration(spec);
    assert.equal(await again.images.count(), 0);
    await again.images.upsert({ rows: [imageRow('b')], vectors: unitVectors(1, 4) });
    assert.equal(await again.images.count(), 1);
    assert.deepEqual(await store.activeGeneration('default'), first);
  });
}
