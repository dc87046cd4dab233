import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { squashed } from '#pictures/picture-spec.ts';
import { decodeSamples } from '#pictures/preprocess.ts';
import { createPreprocessPool } from '#workers/decode/preprocess-pool.ts';
import type { PictureOutcome, PictureTask, PreprocessSetup } from '#workers/decode/protocol.ts';
import { fixture, temporaryFolder } from '../../fixtures/files.ts';

const SETUP: PreprocessSetup = {
  spec: squashed([8, 12]),
  mode: 'reference',
  maxPixels: 100_000,
  maxImageBytes: 1_000_000,
};
const SIZE = 3 * 8 * 12;

function task(uri: string, known: Partial<PictureTask> = {}): PictureTask {
  return { uri, storedSha256: null, failedSha256: null, ...known };
}

async function digest(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

/** The pixels that belong into a picture's slot. */
async function expectedPixels(path: string): Promise<Uint8Array> {
  const values = new Uint8Array(SIZE);
  await decodeSamples(await readFile(path), SETUP.spec, SETUP.mode, SETUP, values);
  return values;
}

const drawing = fixture('pictures/drawing.png');
const grey = fixture('pictures/grey.png');
const turned = fixture('pictures/orientation-6.jpg');
const bmp = fixture('pictures/drawing.bmp');

describe('a decode process', () => {
  const pool = createPreprocessPool(SETUP, 1);
  after(() => pool[Symbol.asyncDispose]());
  const run = pool.run;

  test('a picture that is new is ready, with its size as seen, its bytes and its digest', async () => {
    const pixels = new SharedArrayBuffer(SIZE);
    const [outcome] = await run({
      pixels,
      firstSlot: 0,
      pictures: [task(turned, { storedSha256: 'other' })],
    });
    assert.deepEqual(outcome, {
      kind: 'ready',
      slot: 0,
      width: 48,
      height: 32,
      format: 'jpeg',
      bytes: (await readFile(turned)).length,
      sha256: await digest(turned),
    });
    assert.deepEqual(new Uint8Array(pixels), await expectedPixels(turned));
  });

  test('what is stored is unchanged, what failed is a known failure: neither is decoded', async () => {
    const pixels = new SharedArrayBuffer(0);
    const outcomes = await run({
      pixels,
      firstSlot: 0,
      pictures: [
        task(drawing, { storedSha256: await digest(drawing) }),
        task(bmp, { failedSha256: await digest(bmp) }),
        task(drawing, { storedSha256: await digest(drawing), failedSha256: await digest(drawing) }),
      ],
    });
    assert.deepEqual(outcomes, [{ kind: 'unchanged' }, { kind: 'known-failure' }, { kind: 'unchanged' }]);
  });

  test('a failure names the picture and keeps its digest; there is none where nothing was read', async () => {
    const [broken, missing, large] = await run({
      pixels: new SharedArrayBuffer(0),
      firstSlot: 0,
      pictures: [
        task(bmp, { failedSha256: 'other' }),
        task('/nowhere.png'),
        task(fixture('pictures/bomb.png')),
      ],
    });
    assertFailed(broken, 'IMAGE_INVALID', `Cannot decode image "${bmp}": expected`, await digest(bmp));
    assertFailed(missing, 'ITEM_NOT_FOUND', 'Cannot read image "/nowhere.png": expected', null);
    const bomb = fixture('pictures/bomb.png');
    assertFailed(large, 'IMAGE_TOO_LARGE', `Cannot decode image "${bomb}": expected`, await digest(bomb));
  });

  test('a name that holds patterns and our own words is given as it is', async (t) => {
    const folder = await temporaryFolder(t);
    for (const name of ["$&$'$`$1.png", 'Cannot decode image: image:.png', 'a "quoted"\nname.png']) {
      const path = join(folder, name);
      const readTask = { pixels: new SharedArrayBuffer(0), firstSlot: 0, pictures: [task(path)] };
      const [missing] = await run(readTask);
      assertFailed(missing, 'ITEM_NOT_FOUND', `Cannot read image "${path}": expected a file`, null);
      await writeFile(path, 'no picture');
      const [broken] = await run(readTask);
      assertFailed(broken, 'IMAGE_INVALID', `Cannot decode image "${path}": expected a`, await digest(path));
    }
  });

  test('pictures that are ready lie side by side from the first slot, whichever fail', async () => {
    const all = [bmp, drawing, '/nowhere.png', grey, turned, bmp, drawing, '/nowhere.png', grey];
    const good = all.filter((path) => path !== bmp && path !== '/nowhere.png');
    const pixels = new SharedArrayBuffer((good.length + 3) * SIZE);
    const values = new Uint8Array(pixels).fill(9);
    const outcomes = await run({
      pixels,
      firstSlot: 2,
      pictures: all.map((uri) => task(uri)),
    });
    assert.equal(outcomes.length, all.length);
    const slots: number[] = [];
    for (const [i, outcome] of outcomes.entries()) {
      if (!good.includes(all[i] as string)) {
        assert.equal(outcome.kind, 'failed');
        continue;
      }
      assert.equal(outcome.kind, 'ready');
      slots.push(outcome.slot);
      const own = values.slice(outcome.slot * SIZE, (outcome.slot + 1) * SIZE);
      assert.deepEqual(own, await expectedPixels(all[i] as string));
    }
    assert.deepEqual(
      slots.toSorted((a, b) => a - b),
      [2, 3, 4, 5, 6],
    );
    const untouched = [...values.slice(0, 2 * SIZE), ...values.slice(7 * SIZE)];
    assert.deepEqual(new Set(untouched), new Set([9]));
  });
});

function assertFailed(
  outcome: PictureOutcome | undefined,
  code: string,
  beginning: string,
  sha256: string | null,
): void {
  assert.equal(outcome?.kind, 'failed');
  assert.equal(outcome.error.code, code);
  assert.equal(outcome.error.message.slice(0, beginning.length), beginning);
  assert.equal(outcome.sha256, sha256);
}
