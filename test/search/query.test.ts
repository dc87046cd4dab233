import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createEncoder } from '#model/encoder.ts';
import { fingerprint } from '#model/fingerprint.ts';
import { openModel } from '#model/open-model.ts';
import { openGenerationModel } from '#search/generation-model.ts';
import { embedQuery } from '#search/query.ts';
import type { GenerationTables } from '#store/contract.ts';
import { createThreadRunner } from '#workers/threads/thread-runner.ts';
import { fixture, readJson, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { assertClose, type Expected, vlmoError } from '../model/vlmo/model-fixture.ts';
import {
  captionRow,
  generationSpec,
  imageRow,
  temporaryStore,
  unitVectors,
} from '../store/lance/store-fixture.ts';

const MODEL = await importTiny(await temporaryFolder({ after }));
const LIMITS = { provider: 'cpu', preprocess: 'reference', maxPixels: 1e7, maxImageBytes: 1e7 } as const;
const RUNNER = createThreadRunner(await openModel(MODEL), LIMITS);
after(() => RUNNER[Symbol.asyncDispose]());
const encoder = async () => createEncoder(RUNNER);
const noEncoder = () => assert.fail('an id needs no model');

/** An index of the small model in reference preprocessing, with one picture and one caption. */
async function tinyIndex(t: Parameters<typeof temporaryStore>[0]): Promise<GenerationTables> {
  const model = await openModel(MODEL);
  const tables = await (await temporaryStore(t)).openGeneration(
    generationSpec({
      fingerprint: await fingerprint(model, 'reference'),
      modelName: model.name,
      modelPath: model.path,
      preprocess: 'reference',
      dimensions: 64,
    }),
  );
  await tables.images.upsert({ rows: [imageRow('one')], vectors: unitVectors(1, 64) });
  await tables.captions.upsert({ rows: [captionRow('one#0')], vectors: unitVectors(2, 64).subarray(64) });
  return tables;
}

describe('embedQuery', () => {
  test('a text and a picture: the vectors of the reference', async (t) => {
    const tables = await tinyIndex(t);
    const expected = await readJson<Expected>('reference/vlmo-tiny/tiny_rel.expected.json');
    const text = expected.captions[1] ?? '';
    assertClose(await embedQuery(tables, { text }, encoder), expected.text_embedding[1] ?? [], 2e-3, text);
    const name = expected.images[0] ?? '';
    const bytes = await readFile(fixture(`reference/vlmo-tiny/images/${name}`));
    const vector = await embedQuery(tables, { image: bytes }, encoder);
    assertClose(vector, expected.image_embedding[0] ?? [], 2e-3, name);
  });

  test('an id: its stored vector, of a picture or else of a caption', async (t) => {
    const tables = await tinyIndex(t);
    const stored = unitVectors(2, 64);
    const image = await embedQuery(tables, { id: 'one' }, noEncoder);
    assertClose(image, stored.subarray(0, 64), 1e-3, 'picture');
    const caption = await embedQuery(tables, { id: 'one#0' }, noEncoder);
    assertClose(caption, stored.subarray(64), 1e-3, 'caption');
    await assert.rejects(
      embedQuery(tables, { id: 'two' }, noEncoder),
      vlmoError('SEARCH_ITEM_NOT_FOUND', '"two"', '"default"'),
    );
  });

  test('a picture that is none is refused by its name, where it has one', async (t) => {
    const tables = await tinyIndex(t);
    const bytes = new TextEncoder().encode('no picture');
    const path = join(await temporaryFolder(t), 'a.png');
    await writeFile(path, bytes);
    await assert.rejects(
      embedQuery(tables, { image: path }, encoder),
      vlmoError('IMAGE_INVALID', `Cannot decode image "${path}": expected`),
    );
    await assert.rejects(
      embedQuery(tables, { image: bytes }, encoder),
      vlmoError('IMAGE_INVALID', 'Cannot decode image "the picture of the request": expected'),
    );
  });
});

describe('openGenerationModel', () => {
  test('the same model in another place is taken', async (t) => {
    const { record } = await tinyIndex(t);
    const moved = join(await temporaryFolder(t), 'moved');
    await cp(MODEL, moved, { recursive: true });
    assert.equal((await openGenerationModel(record, { path: moved })).path, moved);
  });

  test('another vocabulary makes another model, refused with both names', async (t) => {
    const { record } = await tinyIndex(t);
    const other = join(await temporaryFolder(t), 'other');
    await cp(MODEL, other, { recursive: true });
    const tokenizer = join(other, 'tokenizer.json');
    await writeFile(tokenizer, (await readFile(tokenizer, 'utf8')).replace('"pizza"', '"pasta"'));
    await assert.rejects(
      openGenerationModel(record, { path: other }),
      vlmoError('SEARCH_MODEL_MISMATCH', '"tiny"', '"other"'),
    );
  });

  test('another preprocessing than the index has makes another model', async (t) => {
    const { record } = await tinyIndex(t);
    await assert.rejects(
      openGenerationModel({ ...record, preprocess: 'fast' }, { path: MODEL }),
      vlmoError('SEARCH_MODEL_MISMATCH'),
    );
  });
});
