import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PREPROCESS_MODES } from '#pictures/preprocess.ts';
import { fixture } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';
import { pixelAt, see } from './pictures.ts';

const SIDE = 64;
const ROOM = { width: SIDE, height: SIDE };

function svg(attributes: string, content: string, head = ''): Uint8Array {
  return new TextEncoder().encode(
    `${head}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${attributes}>${content}</svg>`,
  );
}

const LEFT_HALF_RED = '<path d="M0 0h2v4H0z" fill="#f00"/>';

describe('preprocess: SVG', () => {
  for (const mode of PREPROCESS_MODES) {
    test(`${mode}: a viewBox of 4 x 4 is drawn at the target's size, with a sharp edge`, async () => {
      const seen = await see(svg('viewBox="0 0 4 4"', LEFT_HALF_RED), { ...ROOM, mode });
      assert.deepEqual(seen.info, { width: 4, height: 4, format: 'svg' });
      for (let y = 0; y < SIDE; y++) {
        assert.deepEqual(pixelAt(seen, SIDE / 2 - 1, y, SIDE), [255, 0, 0]);
        assert.deepEqual(pixelAt(seen, SIDE / 2, y, SIDE), [255, 255, 255]);
      }
    });

    test(`${mode}: a drawing a thousand times as long as wide is drawn`, async () => {
      const line = svg('viewBox="0 0 1000 1"', '<path d="M0 0h500v1H0z"/>');
      const seen = await see(line, { ...ROOM, mode });
      assert.deepEqual(seen.info, { width: 1000, height: 1, format: 'svg' });
      assert.deepEqual(pixelAt(seen, 4, 32, SIDE), [0, 0, 0]);
      assert.deepEqual(pixelAt(seen, 60, 32, SIDE), [255, 255, 255]);
    });

    test(`${mode}: a file that it refers to is not read`, async () => {
      const href = pathToFileURL(fixture('pictures/drawing.png')).href;
      for (const name of ['href', 'xlink:href']) {
        const image = `<image ${name}="${href}" width="64" height="64"/>`;
        const seen = await see(svg('width="64" height="64"', image), { ...ROOM, mode });
        assert.deepEqual(new Set(seen.samples), new Set([255]));
      }
    });

    test(`${mode}: an address that it refers to is not asked`, async (t) => {
      let asked = 0;
      const server = createServer((_, response) => {
        asked += 1;
        response.end();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      t.after(() => server.close());
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.png`;
      const style = `<?xml-stylesheet href="${address}" type="text/css"?>`;
      const content = `<image href="${address}" width="64" height="64"/><style>@import url("${address}");</style>`;
      const seen = await see(svg('width="64" height="64"', content, style), { ...ROOM, mode });
      assert.deepEqual(new Set(seen.samples), new Set([255]));
      assert.equal(asked, 0);
    });

    test(`${mode}: entities that grow to a billion letters are refused`, async () => {
      const entities = Array.from('bcdefghij').map((name, i) => {
        const before = 'abcdefghi'.charAt(i);
        return `<!ENTITY ${name} "${`&${before};`.repeat(10)}">`;
      });
      const head = `<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">${entities.join('')}]>`;
      const bomb = svg('width="10" height="10"', '<text>&j;</text>', head);
      await assert.rejects(see(bomb, { ...ROOM, mode }), vlmoError('IMAGE_INVALID', 'entity amplification'));
    });

    test(`${mode}: an entity that names a file is refused`, async () => {
      const head = `<!DOCTYPE svg [<!ENTITY x SYSTEM "${pathToFileURL(fixture('files.ts')).href}">]>`;
      const reader = svg('width="64" height="64"', '<text y="20">&x;</text>', head);
      await assert.rejects(see(reader, { ...ROOM, mode }), vlmoError('IMAGE_INVALID'));
    });

    test(`${mode}: a drawing that says it is 50,000 x 50,000 is refused`, async () => {
      await assert.rejects(
        see(svg('width="50000" height="50000"', ''), { ...ROOM, mode }),
        vlmoError('IMAGE_TOO_LARGE', '50000 x 50000'),
      );
    });
  }
});
