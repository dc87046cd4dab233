import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { CONFIG_FILE, readConfigFile } from '#config/config-file.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

describe('readConfigFile', () => {
  /** Reads as from that folder. */
  async function readIn(folder: string): Promise<unknown> {
    const before = process.cwd();
    process.chdir(folder);
    return readConfigFile().finally(() => process.chdir(before));
  }

  async function read(t: TestContext, content: string | Uint8Array): Promise<unknown> {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, CONFIG_FILE), content);
    return readIn(folder);
  }

  test('no file says nothing', async (t) => {
    assert.deepEqual(await readIn(await temporaryFolder(t)), {});
  });

  test('a file says what its object holds', async (t) => {
    assert.deepEqual(await read(t, '{ "batchSize": 8 }'), { batchSize: 8 });
  });

  test('a byte order mark in front, as editors of Windows write it, is passed over', async (t) => {
    assert.deepEqual(await read(t, '\uFEFF{ "batchSize": 8 }\r\n'), { batchSize: 8 });
  });

  for (const [encoding, mark] of [
    ['UTF-16LE', [0xff, 0xfe]],
    ['UTF-16BE', [0xfe, 0xff]],
  ] as const)
    test(`${encoding}, as PowerShell writes it, is refused with what to do`, async (t) => {
      const bytes = Buffer.from('{}', 'utf16le');
      if (encoding === 'UTF-16BE') bytes.swap16();
      await assert.rejects(
        read(t, Buffer.concat([Buffer.from(mark), bytes])),
        vlmoError('CONFIG_INVALID', 'expected UTF-8, received UTF-16: save it as UTF-8'),
      );
    });

  for (const content of ['', '{', '[1]', '"x"', 'null', Buffer.from([0x7b, 0xff, 0x7d])])
    test(`${JSON.stringify(content)} is refused by the file's name`, async (t) => {
      await assert.rejects(
        read(t, content),
        vlmoError('CONFIG_INVALID', 'vlmo.config.json', 'expected a JSON object, received '),
      );
    });

  test('a folder of that name is refused by its name', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, CONFIG_FILE));
    await assert.rejects(readIn(folder), vlmoError('CONFIG_INVALID', 'vlmo.config.json'));
  });

  for (const said of ['batch-size', '--batch-size', 'VLMO_BATCH_SIZE', 'batchsize'])
    test(`"${said}" is refused with the name that was meant`, async (t) => {
      await assert.rejects(
        read(t, JSON.stringify({ [said]: 8 })),
        vlmoError('CONFIG_INVALID', `expected "batchSize", received "${said}"`),
      );
    });

  test('an option that there is not is refused with where they are listed', async (t) => {
    await assert.rejects(
      read(t, '{ "batchSise": 3 }'),
      vlmoError('CONFIG_INVALID', 'vlmo.config.json', 'batchSise', 'vlmo config'),
    );
  });
});
