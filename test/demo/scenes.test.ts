import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { readDrawings } from '../../demo/drawings.ts';
import { drawScene, parseScenes, type Scene } from '../../demo/scenes.ts';
import { fixture } from '../fixtures/files.ts';

const scenes = parseScenes(await readFile(fixture('../../demo/scenes.jsonl'), 'utf8'));
const svgs = new Map((await readDrawings()).map(({ name, svg }) => [name, svg]));

describe('the held-out scenes', () => {
  test('are 250 families of four with captions of their own', () => {
    assert.equal(scenes.length, 1000);
    for (let i = 0; i < scenes.length; i += 4)
      assert.equal(new Set(scenes.slice(i, i + 4).map(({ caption }) => caption)).size, 4);
  });

  test('are made of drawings that are there, with their centres in the picture', () => {
    for (const [name, , x, y] of scenes.flatMap(({ things }) => things)) {
      assert.ok(svgs.has(name), name);
      assert.ok(x > 0 && x < 1000 && y > 0 && y < 1000);
    }
  });
});

describe('drawScene', () => {
  const made: Scene = {
    name: 'made',
    caption: 'a red sun above a blue cloud',
    back: ['#ffffff', '#ffff00'],
    things: [
      ['sun', 'red', 500, 250, 400],
      ['cloud', 'blue', 500, 750, 400],
    ],
  };

  test('puts each thing in its place, in its colour, on the background', async () => {
    const { data, info } = await sharp(await drawScene(made, svgs))
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height, info.channels], [256, 256, 3]);
    const at = (x: number, y: number): number[] => [
      ...data.subarray(3 * (256 * y + x), 3 * (256 * y + x) + 3),
    ];
    const [red, blue] = [at(128, 64), at(128, 192)];
    assert.ok((red[0] ?? 0) > 200 && (red[2] ?? 255) < 100, `${red}`);
    assert.ok((blue[2] ?? 0) > 200 && (blue[0] ?? 255) < 120, `${blue}`);
    assert.ok((at(2, 1)[2] ?? 0) > 250 && (at(2, 254)[2] ?? 255) < 5);
  });

  test('a drawing may hang over the edge', async () => {
    const over: Scene = { ...made, things: [['sun', null, 5, 995, 400]] };
    assert.equal((await sharp(await drawScene(over, svgs)).metadata()).width, 256);
  });

  test('names a drawing that is not there', async () => {
    const wrong: Scene = { ...made, things: [['no-such', null, 500, 500, 400]] };
    await assert.rejects(
      drawScene(wrong, svgs),
      /Cannot draw scene: expected a drawing of OpenMoji, received "no-such"/,
    );
  });
});
