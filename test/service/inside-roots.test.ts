import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { insideRoots } from '#service/inside-roots.ts';
import type { Item } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { TAR_END, tarFile } from '../sources/tar-file.ts';

test('insideRoots: the tar that a picture lies in is what counts, in lists, behind links and in tables', async (t) => {
  const folder = await temporaryFolder(t);
  const [inside, outside] = [join(folder, 'inside'), join(folder, 'outside')];
  for (const place of [inside, outside]) {
    await mkdir(place);
    const tar = Buffer.concat([tarFile('a.png', await drawPicture(1)), TAR_END]);
    for (const name of ['1.tar', '2.tar']) await writeFile(join(place, name), tar);
  }
  const read = async (spec: string): Promise<Item[]> => {
    const items: Item[] = [];
    for await (const item of (await insideRoots(await openSource(spec), [inside])).items()) items.push(item);
    return items;
  };

  assert.deepEqual(
    (await read(join(inside, '{1..2}.tar'))).map(({ kind }) => kind),
    ['image', 'image'],
  );
  for (const spec of [join(outside, '{1..2}.tar'), `${inside}/1.tar::${outside}/1.tar`])
    await assert.rejects(read(spec), vlmoError('SOURCE_OUTSIDE', join(outside, '1.tar')), spec);

  await symlink(join(outside, '1.tar'), join(inside, '3.tar'));
  const [, , linked] = await read(inside);
  assert.ok(linked?.kind === 'broken' && linked.error.code === 'SOURCE_OUTSIDE' && linked.id === '3.tar/a');

  const rows = [inside, outside].map((place) => `tar+file://${place}/1.tar#offset=512&size=1`);
  await writeFile(
    join(inside, 'rows.csv'),
    ['image', ...rows, 'tar+file://host/1.tar#offset=512&size=1'].join('\n'),
  );
  assert.deepEqual(
    (await read(join(inside, 'rows.csv'))).map(({ kind }) => kind),
    ['image', 'broken', 'broken'],
  );
});
