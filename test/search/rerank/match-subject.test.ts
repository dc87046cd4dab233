import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { chooseSubject, type SubjectParts, storedSubject } from '#search/rerank/match-subject.ts';
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
const image = { weight: 1 };

describe('chooseSubject', () => {
  test('pictures are read with the one text that they are to be like', () => {
    const text = { kind: 'text', text: 'beach' };
    assert.deepEqual(chooseSubject({ texts: [beach] }, 'image'), text);
    assert.deepEqual(chooseSubject({ texts: [people, beach], image }, 'image'), text);
  });

  test('captions are read with the picture', () => {
    assert.deepEqual(chooseSubject({ texts: [], image }, 'caption'), { kind: 'image' });
    assert.deepEqual(chooseSubject({ texts: [beach, people], image }, 'caption'), { kind: 'image' });
  });

  for (const [parts, target, received] of [
    [{ texts: [beach] }, 'caption', 'text alone'],
    [{ texts: [beach], image: { weight: -1 } }, 'caption', 'text alone'],
    [{ texts: [], image: { weight: -1 } }, 'caption', 'none'],
    [{ texts: [], image }, 'image', 'a picture alone'],
    [{ texts: [people], image }, 'image', 'a picture alone'],
    [{ texts: [people] }, 'image', 'none'],
    [{ texts: [beach, beach] }, 'image', '2 texts'],
  ] satisfies [SubjectParts, 'image' | 'caption', string][]) {
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

describe('storedSubject', () => {
  test('an id gives the path of its picture, or else the text of its caption', async (t) => {
    const tables = await (await temporaryStore(t)).openGeneration(generationSpec());
    await tables.images.upsert({ rows: [imageRow('one', { uri: '/one.png' })], vectors: unitVectors(1, 4) });
    await tables.captions.upsert({
      rows: ['one', 'two'].map((id) => captionRow(id, { caption: `says ${id}` })),
      vectors: unitVectors(2, 4),
    });
    assert.deepEqual(await storedSubject(tables, 'one', 'caption'), { kind: 'image', picture: '/one.png' });
    assert.deepEqual(await storedSubject(tables, 'two', 'image'), { kind: 'text', text: 'says two' });
    await assert.rejects(
      storedSubject(tables, 'one', 'image'),
      vlmoError('USAGE_INVALID', 'a picture alone'),
    );
    await assert.rejects(storedSubject(tables, 'two', 'caption'), vlmoError('USAGE_INVALID', 'text alone'));
    await assert.rejects(storedSubject(tables, 'six', 'image'), vlmoError('SEARCH_ITEM_NOT_FOUND', '"six"'));
  });
});
