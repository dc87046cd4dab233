import assert from 'node:assert/strict';
import { appendFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readPicture } from '#pictures/read-picture.ts';
import { openSource } from '#sources/open-source.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { paxFile, TAR_END, tarFile } from '../sources/tar-file.ts';

const BYTES = 600;

function content(value: number): Buffer {
  return Buffer.alloc(BYTES, value);
}

async function urisOf(path: string): Promise<Map<string, string>> {
  const uris = new Map<string, string>();
  for await (const item of (await openSource(path)).items())
    if (item.kind === 'image') uris.set(item.id.slice('x.tar/'.length), item.uri);
  return uris;
}

function read(uri: string | undefined): number {
  const bytes = readPicture(uri ?? '', BYTES);
  assert.equal(bytes.length, BYTES);
  return bytes[0] ?? 0;
}

describe('readTarMember', () => {
  test('reads each file at its place, whatever makes its name', async (t) => {
    const path = join(await temporaryFolder(t), 'x.tar');
    const long = 'n'.repeat(300);
    const parts = [
      tarFile('a.png', content(1)),
      tarFile('././@LongLink', `${long}/b.png\0`, 'L'),
      tarFile('cut', content(2)),
      paxFile({ path: `é/${long}.png`, comment: 'x' }, 'cut', content(3)),
      paxFile({ comment: 'of all' }, 'd.png', content(4), 'g'),
      TAR_END,
    ];
    await writeFile(path, Buffer.concat(parts));
    const uris = await urisOf(path);
    assert.deepEqual([...uris.keys()], ['a', `${long}/b`, `é/${long}`, 'd']);
    assert.deepEqual([...uris.values()].map(read), [1, 2, 3, 4]);
  });

  test('a name that is no UTF-8 is another one than its neighbour', async (t) => {
    const path = join(await temporaryFolder(t), 'x.tar');
    const [one, other] = [0xe9, 0xe8].map((byte) => {
      const file = tarFile('_.png', content(byte));
      file[148 + 7] = 0;
      const sum = Number.parseInt(file.toString('latin1', 148, 154), 8) + byte - 0x5f;
      file[0] = byte;
      file.write(sum.toString(8).padStart(6, '0'), 148);
      return file;
    });
    await writeFile(path, Buffer.concat([one as Buffer, other as Buffer, TAR_END]));
    const uris = await urisOf(path);
    assert.deepEqual([...uris.keys()], ['%E9', '%E8']);
    assert.deepEqual([...uris.values()].map(read), [0xe9, 0xe8]);
  });

  test('refuses another file of the same size at the same place', async (t) => {
    const path = join(await temporaryFolder(t), 'x.tar');
    const long = 'n'.repeat(300);
    const pax = (name: string, value: number) => paxFile({ path: `${long}${name}` }, 'cut', content(value));
    await writeFile(
      path,
      Buffer.concat([tarFile('a.png', content(1)), pax('c.png', 3), pax('d.png', 4), TAR_END]),
    );
    const uris = await urisOf(path);
    const replaced = [tarFile('b.png', content(2)), pax('d.png', 4), pax('c.png', 3), TAR_END];
    await writeFile(path, Buffer.concat(replaced));
    for (const uri of uris.values())
      assert.throws(() => read(uri), vlmoError('ITEM_NOT_FOUND', 'at this place of the tar, received "'));
    assert.throws(
      () => read(uris.get('a')),
      /expected "a\.png" of 600 bytes .+, received "b\.png" of 600; index it again/,
    );
  });

  test('a tar that was copied or appended to gives what it gave', async (t) => {
    const path = join(await temporaryFolder(t), 'x.tar');
    await writeFile(path, tarFile('a.png', content(1)));
    const uris = await urisOf(path);
    await appendFile(path, Buffer.concat([tarFile('b.png', content(2)), TAR_END]));
    await utimes(path, 1, 1);
    assert.equal(read(uris.get('a')), 1);
    const again = await urisOf(path);
    assert.equal(again.get('a'), uris.get('a'));
  });

  test('takes a place without a name, and no place that is none', async (t) => {
    const path = join(await temporaryFolder(t), 'x.tar');
    await writeFile(path, Buffer.concat([tarFile('a.png', content(1)), TAR_END]));
    assert.equal(read(`tar+file://${path}#offset=512&size=600`), 1);
    for (const [place, code] of [
      ['offset=512&size=600&head=0', 'ITEM_UNREADABLE'],
      ['offset=512&size=600&head=1024', 'ITEM_UNREADABLE'],
      ['offset=512&size=600&head=x', 'ITEM_UNREADABLE'],
      ['offset=600&size=600&head=513', 'ITEM_NOT_FOUND'],
      ['offset=1536&size=600&head=1536', 'ITEM_NOT_FOUND'],
      ['offset=9007199254740991&size=600', 'ITEM_UNREADABLE'],
    ] as const)
      assert.throws(() => read(`tar+file://${path}#${place}`), vlmoError(code), place);
  });
});
