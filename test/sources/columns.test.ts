import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manifestRules, metadataRules, resolveColumns } from '#sources/columns.ts';
import type { SourceOptions } from '#sources/item.ts';

function resolved(names: readonly string[], options: SourceOptions = {}) {
  const columns = resolveColumns(names, manifestRules(options));
  assert.ok(typeof columns !== 'string');
  const name = (index: number | undefined) => (index === undefined ? undefined : names[index]);
  return [
    name(columns.image),
    name(columns.imageId ?? columns.id),
    name(columns.captionId),
    columns.captions.map(name),
    columns.meta.map(name),
  ];
}

test('resolveColumns: guesses by the order of preference, whatever the case', () => {
  assert.deepEqual(resolved(['URL', 'Title', 'File_Name', 'TEXT', 'Image_ID', 'Id', 'sentid']), [
    'File_Name',
    'Image_ID',
    'sentid',
    ['TEXT'],
    ['URL', 'Title', 'Id'],
  ]);
  assert.deepEqual(resolved(['url', 'image_id', 'id', 'caption']), [
    'url',
    'image_id',
    'id',
    ['caption'],
    [],
  ]);
});

test('resolveColumns: every usual name is known', () => {
  const { guesses } = manifestRules({});
  for (const name of guesses.image) assert.equal(resolved([name])[0], name);
  for (const name of guesses.caption) assert.deepEqual(resolved([name])[3], [name]);
  for (const name of guesses.id) assert.equal(resolved(['image', name])[1], name);
  for (const name of guesses.captionId) assert.equal(resolved(['image', name])[2], name);
});

test('resolveColumns: a named column wins, and is not guessed for another purpose', () => {
  const options = { imageColumn: 'url', captionColumns: ['id', 'alt'] };
  assert.deepEqual(resolved(['image', 'url', 'id', 'key', 'alt'], options), [
    'url',
    'key',
    undefined,
    ['id', 'alt'],
    ['image'],
  ]);
});

test('resolveColumns: says which named columns are missing and which are there', () => {
  const rules = manifestRules({ imageColumn: 'pic', captionColumns: ['alt', 'text'] });
  assert.equal(
    resolveColumns(['a', 'text'], rules),
    'expected the columns "pic", "alt", received the columns "a", "text"',
  );
});

test('resolveColumns: neither a picture nor a caption is an error that lists the usual names', () => {
  const reason = resolveColumns(['a'], manifestRules({}));
  assert.match(
    asReason(reason),
    /^expected one of the columns "image", .*"comment", received the column "a"$/,
  );
  assert.match(asReason(resolveColumns([], manifestRules({}))), /received no column$/);
});

test('resolveColumns: metadata needs file_name and takes all its caption columns', () => {
  const rules = metadataRules({ idColumn: 'nope', imageColumn: 'nope' });
  assert.deepEqual(resolveColumns(['text', 'file_name', 'id', 'caption'], rules), {
    image: 1,
    imageId: undefined,
    id: undefined,
    captionId: undefined,
    captions: [3, 0],
    meta: [2],
  });
  assert.equal(
    resolveColumns(['image', 'caption'], rules),
    'expected one of the columns "file_name", received the columns "image", "caption"',
  );
});

function asReason(value: unknown): string {
  assert.ok(typeof value === 'string');
  return value;
}
