import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CaptionItem } from '#sources/item.ts';
import type { CaptionRecord, ImageRecord, RunRecord, Store } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';
import { collect } from '../../pipeline/pipeline-fixture.ts';
import { captionRow, failureRecord, generationSpec, imageRow, unitVectors } from '../lance/store-fixture.ts';
import type { OpenStore } from './open.ts';

/** Other names for sources. */
export function renameSuite(open: OpenStore): void {
  test('Store.renameSource: rows, captions of its pictures, failures and runs have the other name; the rest and all vectors stay', async (t) => {
    const store = await open(t);
    const before = new Map<string, Float32Array>();
    for (const fingerprint of ['a', 'b']) {
      const { images, captions } = await store.openGeneration(
        generationSpec({ fingerprint: fingerprint.repeat(32) }),
      );
      const pictures = OLD.flatMap((source) => ['1', "it's\n"].map((id) => imageRow(id, { source })));
      await images.upsert({ rows: pictures, vectors: unitVectors(4, 4) });
      const texts = [
        captionRow('own', { source: 'old', imageId: '1' }),
        captionRow('elsewhere', { source: 'other', imageId: '1', imageSource: 'old' }),
        captionRow('alone', { source: 'old' }),
        captionRow('own', { source: 'other', imageId: '1' }),
      ];
      await captions.upsert({ rows: texts, vectors: unitVectors(4, 4) });
      for (const { key } of pictures) before.set(key, (await images.vector(key)) ?? new Float32Array());
    }
    const item: CaptionItem = {
      ...{
        kind: 'caption',
        id: 'failed',
        imageId: '1',
        imageSource: 'old',
        uri: '/x',
        caption: '"imageSource":"old"',
      },
      meta: { imageSource: 'old' },
    };
    await store.failures.upsert([
      failureRecord('a', { source: 'old' }),
      failureRecord('failed', { source: 'other', kind: 'caption', item: JSON.stringify(item) }),
    ]);
    for (const source of OLD) await store.runs.upsert({ ...RUN, id: source, source });

    for (const _ of ['first', 'again after a kill'])
      await store.renameSource({ from: 'old', to: "the 'new'" });
    assert.equal(await store.pendingRename(), undefined);
    for (const { images, captions } of await tablesOf(store)) {
      const pictures = await collect(images.scan());
      assert.deepEqual(
        placesOf(pictures),
        NEW.flatMap((source) => [`${source} 1`, `${source} it's\n`]).sort(),
      );
      for (const { key, source, id } of pictures) {
        assert.equal(key, itemKey(source, 'image', id));
        const old = source === 'other' ? source : 'old';
        assert.deepEqual(await images.vector(key), before.get(itemKey(old, 'image', id)));
      }
      const texts = await collect(captions.scan());
      assert.deepEqual(texts.map(({ source, id, imageSource }) => `${source} ${id} ${imageSource}`).sort(), [
        "other elsewhere the 'new'",
        'other own other',
        "the 'new' alone null",
        "the 'new' own the 'new'",
      ]);
      for (const { key, source, id } of texts) assert.equal(key, itemKey(source, 'caption', id));
      const ofOne = await collect(captions.keysOfImages([itemKey("the 'new'", 'image', '1')]));
      assert.equal(ofOne.length, 2);
    }
    const failures = await collect(store.failures.scan());
    assert.deepEqual(placesOf(failures), ['other failed', "the 'new' a"]);
    for (const { key, source, kind, id } of failures) assert.equal(key, itemKey(source, kind, id));
    const failed = failures.find(({ id }) => id === 'failed');
    assert.deepEqual(JSON.parse(failed?.item ?? ''), { ...item, imageSource: "the 'new'" });
    assert.deepEqual((await collect(store.runs.scan())).map(({ source }) => source).sort(), NEW);
  });
}

const OLD = ['old', 'other'];
const NEW = ['other', "the 'new'"];
const RUN: RunRecord = {
  ...{ id: 'r', kind: 'direct', source: 'old', place: '/photos', collection: 'default', generation: 'g' },
  ...{
    state: 'complete',
    submitted: true,
    options: '{}',
    seen: 1,
    stored: 1,
    skipped: 0,
    failed: 0,
    kinds: null,
  },
  ...{ startedAt: new Date(0), endedAt: null, number: 3, owner: null, lease: null, truncated: null },
};

async function tablesOf(store: Store) {
  return Promise.all((await store.generations()).map((record) => store.tables(record)));
}

function placesOf(rows: readonly Pick<ImageRecord | CaptionRecord, 'source' | 'id'>[]): string[] {
  return rows.map(({ source, id }) => `${source} ${id}`).sort();
}
