import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { openModel } from '#model/open-model.ts';
import type { MatchPicture, StoredPicture } from '#model/picture-reader.ts';
import type { DecodedPicture, Runner, RunTask } from '#model/runner.ts';
import { TokenCache } from '#model/token-cache.ts';
import { createTokenReader } from '#model/token-reader.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { BLIP } from './blip/blip-fixture.ts';

const MODEL = await openModel(BLIP);
const VALUES = 4;
const BYTES = VALUES * Float32Array.BYTES_PER_ELEMENT;
/** What lies where: each picture is one number. */
const SHA = (content: number): string => createHash('sha256').update(String(content)).digest('hex');

/** A runner whose pictures are numbers; the tokens of one are that number, and how often it was asked for is told. */
function numbers(content: Map<string, number>) {
  const computed: number[] = [];
  const decoded: string[] = [];
  const gate = { open: Promise.resolve(), fails: false };
  const runner: Runner = {
    ...{ model: MODEL, threads: 2 },
    async decode(pictures, pixels) {
      let slots = 0;
      return pictures.map((picture): DecodedPicture | VlmoError => {
        const uri = typeof picture === 'string' ? picture : picture.toString();
        decoded.push(uri);
        const value =
          typeof picture === 'string' ? content.get(uri) : Number(Buffer.from(picture).toString());
        if (value === undefined) return new VlmoError('ITEM_NOT_FOUND', `Cannot read ${uri}`);
        const slot = slots++;
        new Uint8Array(pixels, (slot * pixels.byteLength) / pictures.length)[0] = value;
        return { slot, sha256: SHA(value) };
      });
    },
    async run(task: RunTask) {
      assert.ok(task.kind === 'tokens');
      const each = task.pixels.byteLength / task.count;
      const values = Array.from({ length: task.count }, (_, i) => new Uint8Array(task.pixels)[i * each] ?? 0);
      computed.push(...values);
      await gate.open;
      const { fails } = gate;
      gate.fails = false;
      if (fails) throw new Error('out of memory');
      return Float32Array.from(values.flatMap((value) => Array<number>(VALUES).fill(value)));
    },
  };
  return { runner, computed, decoded, gate };
}

function cacheOf(maxBytes = 1e6, folder?: string, fingerprint = 'f'.repeat(64)): TokenCache {
  return new TokenCache({ bytesEach: BYTES, maxBytes, fingerprint, folder });
}

const stored = (uri: string, value: number): StoredPicture => ({ uri, sha256: SHA(value) });

/** The numbers that pictures were read as, or codes. */
async function read(
  reader: ReturnType<typeof createTokenReader>,
  pictures: readonly MatchPicture[],
): Promise<readonly (number | string)[]> {
  const { places, count, withTexts } = await reader.read(pictures);
  const task = withTexts(['a']);
  assert.ok(task.kind === 'pairs');
  assert.equal(task.tokens.length, count);
  return places.map((place) =>
    place instanceof VlmoError
      ? place.code
      : (new Float32Array(task.tokens[place] as SharedArrayBuffer)[0] ?? -1),
  );
}

describe('token reader', () => {
  test('a picture is read once, however it is named and however often', async () => {
    const { runner, computed, decoded } = numbers(
      new Map([
        ['a', 1],
        ['b', 2],
        ['copy of a', 1],
      ]),
    );
    const reader = createTokenReader(runner, cacheOf());
    assert.deepEqual(await read(reader, [stored('a', 1), stored('b', 2), stored('copy of a', 1)]), [1, 2, 1]);
    assert.deepEqual(computed, [1, 2]);
    assert.deepEqual(await read(reader, [stored('b', 2), stored('copy of a', 1)]), [2, 1]);
    assert.deepEqual(decoded, ['a', 'b']);
    // Named by its place alone it has to be read, but not computed; as bytes it is known.
    assert.deepEqual(await read(reader, ['a', Buffer.from('2')]), [1, 2]);
    assert.deepEqual(
      [computed, decoded],
      [
        [1, 2],
        ['a', 'b', 'a'],
      ],
    );
  });

  test('one that several ask for at the same time is read for all of them', async () => {
    const { runner, computed, gate } = numbers(
      new Map([
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ]),
    );
    const reader = createTokenReader(runner, cacheOf());
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.open = promise;
    const first = read(reader, [stored('a', 1), stored('b', 2)]);
    const second = read(reader, [stored('b', 2), stored('c', 3), stored('a', 1)]);
    resolve();
    assert.deepEqual(await Promise.all([first, second]), [
      [1, 2],
      [2, 3, 1],
    ]);
    assert.deepEqual(computed.toSorted(), [1, 2, 3]);
  });

  test('who waited for one that failed reads it itself', async () => {
    const { runner, computed, gate } = numbers(new Map([['a', 1]]));
    const reader = createTokenReader(runner, cacheOf());
    const { promise, resolve } = Promise.withResolvers<void>();
    gate.open = promise;
    gate.fails = true;
    const first = read(reader, [stored('a', 1)]);
    const second = read(reader, [stored('a', 1)]);
    const lost = assert.rejects(first, /out of memory/);
    resolve();
    await lost;
    assert.deepEqual(await second, [1]);
    assert.deepEqual(await read(reader, [stored('a', 1)]), [1]);
    assert.deepEqual(computed, [1, 1]);
  });

  test('a file that is another one now is read as it is, and nobody else gets it for the one it was', async () => {
    const { runner, computed } = numbers(
      new Map([
        ['changed', 7],
        ['same', 1],
      ]),
    );
    const reader = createTokenReader(runner, cacheOf());
    assert.deepEqual(await read(reader, [stored('changed', 1), stored('same', 1)]), [7, 1]);
    assert.deepEqual(await read(reader, [stored('same', 1), stored('elsewhere', 7)]), [1, 7]);
    assert.deepEqual(computed, [7, 1]);
  });

  test('pictures that cannot be read are errors in their places, also beside those that are kept', async () => {
    const { runner } = numbers(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    );
    const reader = createTokenReader(runner, cacheOf());
    const asked = [stored('none', 9), stored('a', 1), 'nowhere', stored('b', 2), stored('none too', 9)];
    const expected = ['ITEM_NOT_FOUND', 1, 'ITEM_NOT_FOUND', 2, 'ITEM_NOT_FOUND'];
    assert.deepEqual(await read(reader, asked), expected);
    assert.deepEqual(await read(reader, asked), expected);
  });
});

describe('TokenCache', () => {
  const tokens = (value: number): SharedArrayBuffer => {
    const buffer = new SharedArrayBuffer(BYTES);
    new Float32Array(buffer).fill(value);
    return buffer;
  };

  test('memory is bounded in bytes, and what was not asked for longest goes first', async () => {
    const cache = cacheOf(3 * BYTES + 1);
    for (const value of [1, 2, 3]) await cache.keep(SHA(value), tokens(value));
    assert.equal(cache.bytes, 3 * BYTES);
    assert.ok(cache.get(SHA(1)));
    await cache.keep(SHA(4), tokens(4));
    assert.equal(cache.bytes, 3 * BYTES);
    const kept = [1, 2, 3, 4].filter((value) => cache.get(SHA(value)));
    assert.deepEqual(kept, [1, 3, 4]);
    const none = cacheOf(BYTES - 1);
    await none.keep(SHA(1), tokens(1));
    assert.deepEqual([none.bytes, none.get(SHA(1))], [0, undefined]);
  });

  test('what is in the folder outlives the process; another model does not see it', async (t) => {
    const folder = await temporaryFolder(t);
    const { runner, computed } = numbers(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    );
    const asked = [stored('a', 1), stored('b', 2)];
    for (let i = 0; i < 2; i++)
      assert.deepEqual(await read(createTokenReader(runner, cacheOf(1e6, folder)), asked), [1, 2]);
    assert.deepEqual(computed, [1, 2]);
    const other = createTokenReader(runner, cacheOf(1e6, folder, 'e'.repeat(64)));
    assert.deepEqual(await read(other, asked), [1, 2]);
    assert.deepEqual(computed, [1, 2, 1, 2]);
  });

  test('a file that is damaged is computed anew, and mended', async (t) => {
    const folder = await temporaryFolder(t);
    const { runner, computed } = numbers(new Map([['a', 1]]));
    const once = () => read(createTokenReader(runner, cacheOf(1e6, folder)), [stored('a', 1)]);
    await once();
    const [path = ''] = (await readdir(folder, { recursive: true })).filter((name) =>
      name.endsWith('.tokens'),
    );
    const file = join(folder, path);
    const whole = await readFile(file);
    const damages = [
      whole.subarray(0, whole.length - 1),
      Buffer.alloc(0),
      Buffer.from(whole.map((byte, i) => (i === whole.length - 2 ? byte ^ 1 : byte))),
      Buffer.from(whole.map((byte, i) => (i === 0 ? byte ^ 1 : byte))),
    ];
    for (const [i, damage] of damages.entries()) {
      await writeFile(file, damage);
      assert.deepEqual(await once(), [1]);
      assert.equal(computed.length, i + 2);
      assert.deepEqual(await readFile(file), whole);
    }
  });

  test('a folder that takes nothing is told once, and everything is computed', async (t) => {
    const folder = join(await temporaryFolder(t), 'a file');
    await writeFile(folder, '');
    const notes: string[] = [];
    const cache = new TokenCache({
      ...{ bytesEach: BYTES, maxBytes: 0, fingerprint: 'f'.repeat(64), folder },
      note: (line) => notes.push(line),
    });
    const { runner, computed } = numbers(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    );
    const reader = createTokenReader(runner, cache);
    assert.deepEqual(await read(reader, [stored('a', 1)]), [1]);
    assert.deepEqual(await read(reader, [stored('b', 2), stored('a', 1)]), [2, 1]);
    assert.deepEqual(computed, [1, 2, 1]);
    assert.equal(notes.length, 1);
    assert.match(notes[0] ?? '', /a file/);
  });
});
