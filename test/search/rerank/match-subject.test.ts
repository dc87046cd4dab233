import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AskedParts } from '#search/query.ts';
import { chooseSubject, findSubject } from '#search/rerank/match-subject.ts';
import { vlmoError } from '../../model/vlmo/model-fixture.ts';
import {
  captionRow,
  generationSpec,
  imageRow,
  temporaryStore,
  unitVectors,
} from '../../store/lance/store-fixture.ts';

const beach = { text: 'beach', weight: 1 };
const people = { text: 'people', weight: -0.5 };
const image = '/some.png';

describe('chooseSubject', () => {
  test('pictures are read with the one text that they are to be like', () => {
    const text = { kind: 'text', text: 'beach' };
    assert.deepEqual(chooseSubject({ text: 'beach' }, 'image'), text);
    assert.deepEqual(chooseSubject({ texts: [people, beach], image }, 'image'), text);
  });

  test('captions are read with the picture', () => {
    const picture = { kind: 'image', picture: image };
    assert.deepEqual(chooseSubject({ image }, 'caption'), picture);
    assert.deepEqual(chooseSubject({ texts: [beach, people], image }, 'caption'), picture);
  });

  for (const [parts, target, received] of [
    [{ texts: [beach] }, 'caption', 'text alone'],
    [{ texts: [beach], image, imageWeight: -1 }, 'caption', 'text alone'],
    [{ image, imageWeight: -1 }, 'caption', 'none'],
    [{ image }, 'image', 'a picture alone'],
    [{ texts: [people], image }, 'image', 'a picture alone'],
    [{ texts: [people] }, 'image', 'none'],
    [{ texts: [beach, beach] }, 'image', '2 texts'],
  ] satisfies [AskedParts, 'image' | 'caption', string][]) {
    test(`${JSON.stringify(parts)} is refused for ${target}s`, () => {
      assert.throws(
        () => chooseSubject(parts, target),
        vlmoError(
          'USAGE_INVALID',
          `Cannot re-rank ${target}s: expected`,
          new RegExp(`received ${received}$`),
        ),
      );
    });
  }
});

describe('findSubject', () => {
  test('an id gives the place and content of its picture, or else the text of its caption', async (t) => {
    const tables = await (await temporaryStore(t)).openGeneration(generationSpec());
    await tables.images.upsert({ rows: [imageRow('one', { uri: '/one.png' })], vectors: unitVectors(1, 4) });
    await tables.captions.upsert({
      rows: ['one', 'two'].map((id) => captionRow(id, { caption: `says ${id}` })),
      vectors: unitVectors(2, 4),
    });
    assert.deepEqual(await findSubject(tables, { id: 'one', in: 'captions' }), {
      kind: 'image',
      picture: { uri: '/one.png', sha256: 'ab'.repeat(32) },
    });
    assert.deepEqual(await findSubject(tables, { id: 'two', in: 'images' }), {
      kind: 'text',
      text: 'says two',
    });
    await assert.rejects(
      findSubject(tables, { id: 'one', in: 'images' }),
      vlmoError('USAGE_INVALID', 'a picture alone'),
    );
    await assert.rejects(
      findSubject(tables, { id: 'two', in: 'captions' }),
      vlmoError('USAGE_INVALID', 'text alone'),
    );
    await assert.rejects(
      findSubject(tables, { id: 'six', in: 'images' }),
      vlmoError('SEARCH_ITEM_NOT_FOUND', '"six"'),
    );
  });
});
