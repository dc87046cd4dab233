import assert from 'node:assert/strict';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import type { Problem } from '#server/errors/problem.ts';
import { createThumbnailCache } from '#server/pictures/thumbnail-cache.ts';
import type { Server } from '#server/serve.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { drawPicture } from '../pipeline/pictures.ts';
import { TAR_END, tarFile } from '../sources/tar-file.ts';
import { ask, indexScenes, type ServedIndex, serve } from './server-fixture.ts';

const folder = await temporaryFolder({ after });
let served: ServedIndex;
let server: Server;
let path: string;
let url: string;

before(async () => {
  served = await indexScenes(folder, 4);
  server = await serve(served.index);
  path = served.scenes[0]?.path ?? '';
  const { body } = await ask(`${server.url}/v1/items?id=${path.split('/').at(-1)}`);
  url = `${server.url}/v1/items/${body.key}`;
});

after(async () => {
  await server.close();
  await served.index.close();
});

describe('GET /v1/items/{key}/image', { timeout: 300_000 }, () => {
  test('gives the bytes of the file, and 304 to whoever has them', async () => {
    const response = await fetch(`${url}/image`);
    assert.equal(response.headers.get('content-type'), 'image/png');
    assert.match(response.headers.get('content-security-policy') ?? '', /sandbox/);
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), await readFile(path));
    const headers = { 'if-none-match': response.headers.get('etag') ?? '' };
    const again = await fetch(`${url}/image`, { headers });
    assert.deepEqual([again.status, await again.text()], [304, '']);
  });

  test('a caption has none, nor has what failed; a file that has gone is a 404 that says so', async () => {
    const { body } = await ask<{ hits: { key: string }[] }>(`${server.url}/v1/search`, {
      text: 'a',
      in: 'captions',
    });
    const failed = await ask(`${server.url}/v1/items?id=broken.png`);
    for (const key of [body.hits[0]?.key, failed.body.key]) {
      const answer = await ask<Problem>(`${server.url}/v1/items/${key}/image`);
      assert.deepEqual([answer.status, answer.body.code], [404, 'SEARCH_ITEM_NOT_FOUND']);
    }
    await rename(path, `${path}.away`);
    const gone = await ask<Problem>(`${url}/image`);
    assert.deepEqual([gone.status, gone.body.code], [404, 'ITEM_NOT_FOUND']);
    await rename(`${path}.away`, path);
  });
});

describe('GET /v1/items/{key}/thumbnail', () => {
  test('a WebP of at most the size, kept on disk, with its ETag', async () => {
    const response = await fetch(`${url}/thumbnail?size=100`);
    assert.equal(response.headers.get('content-type'), 'image/webp');
    const { width, height, format } = await sharp(Buffer.from(await response.arrayBuffer())).metadata();
    assert.equal(format, 'webp');
    assert.equal(Math.max(width, height), 128);
    const kept = await readdir(join(served.index.folder, 'thumbnails'), { recursive: true });
    assert.equal(kept.filter((name) => name.endsWith('.webp')).length, 1);
    const headers = { 'if-none-match': response.headers.get('etag') ?? '' };
    assert.equal((await fetch(`${url}/thumbnail?size=100`, { headers })).status, 304);
  });

  test('comes from disk, even where the picture is away; sizes are few', async () => {
    const first = await (await fetch(`${url}/thumbnail?size=200`)).arrayBuffer();
    await rename(path, `${path}.away`);
    const second = await (await fetch(`${url}/thumbnail?size=256`)).arrayBuffer();
    await rename(`${path}.away`, path);
    assert.deepEqual(second, first);
    for (const size of ['0', '1025', 'x'])
      assert.equal((await fetch(`${url}/thumbnail?size=${size}`)).status, 400);
  });
});

describe('createThumbnailCache', () => {
  test('holds at most its bytes: what was not asked for longest goes', async (t) => {
    const place = await temporaryFolder(t);
    const cache = createThumbnailCache(place, 1000);
    let drawn = 0;
    const ask = (name: string): Promise<Uint8Array> =>
      cache.get(name, async () => {
        drawn += 1;
        return new Uint8Array(300);
      });
    await Promise.all(['aa', 'aa', 'aa'].map(ask));
    assert.equal(drawn, 1, 'three that ask at once wait for one');
    for (const name of ['bb', 'cc', 'aa', 'dd']) {
      await ask(name);
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    const kept = (await readdir(place, { recursive: true })).filter((name) => name.includes('/'));
    assert.deepEqual(kept.toSorted(), ['aa/aa', 'dd/dd']);
  });

  test('a folder that cannot be written costs no thumbnail', async (t) => {
    const place = join(await temporaryFolder(t), 'file');
    await writeFile(place, '');
    const cache = createThumbnailCache(place, 1000);
    assert.equal((await cache.get('aa', async () => new Uint8Array(3))).length, 3);
    await rm(place);
  });
});

describe('a picture in a tar', { timeout: 300_000 }, () => {
  for (const [name, pack] of [
    ['x.tar', (bytes: Buffer) => bytes],
    ['x.tar.gz', gzipSync],
  ] as const)
    test(`${name}: is given alone, and no other one in its place`, async (t) => {
      const place = join(await temporaryFolder(t), name);
      const pictures = [await drawPicture(1), await drawPicture(2)];
      const write = (order: readonly number[]) => {
        const parts = order.map((n) => tarFile(`${n}.png`, pictures[n] ?? ''));
        return writeFile(place, pack(Buffer.concat([...parts, TAR_END])));
      };
      await write([0, 1]);
      await served.index.index(place);
      const { body } = await ask(`${server.url}/v1/items?id=${name}/1`);
      const own = `${server.url}/v1/items/${body.key}`;
      const response = await fetch(`${own}/image`);
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), pictures[1]);
      const thumbnail = await fetch(`${own}/thumbnail?size=100`);
      assert.deepEqual([thumbnail.status, thumbnail.headers.get('content-type')], [200, 'image/webp']);
      await write([1, 0]);
      const other = await ask<Problem>(`${own}/image`);
      assert.deepEqual([other.status, other.body.code], [404, 'ITEM_NOT_FOUND']);
      assert.match(other.body.detail ?? '', /at this place of the tar/);
      await rm(place);
      const gone = await ask<Problem>(`${own}/image`);
      assert.deepEqual([gone.status, gone.body.code], [404, 'ITEM_NOT_FOUND']);
    });
});
