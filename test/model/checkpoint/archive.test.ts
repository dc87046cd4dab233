import assert from 'node:assert/strict';
import { copyFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { openArchive } from '#model/checkpoint/archive.ts';
import { unpickle } from '#model/checkpoint/pickle.ts';
import { stateDict } from '#model/checkpoint/state-dict.ts';
import { readTensor } from '#model/checkpoint/tensor-reader.ts';
import { pickleTensors } from '../../fixtures/checkpoint-writer.ts';
import { fixture, seededRandom, temporaryFolder } from '../../fixtures/files.ts';
import { writeZip } from '../../fixtures/zip-writer.ts';
import { vlmoError } from '../vlmo/model-fixture.ts';

/** Opens a file and reads every tensor in it. */
async function readAll(path: string): Promise<number> {
  await using archive = await openArchive(path);
  let elements = 0;
  for (const [name, tensor] of stateDict(path, unpickle(archive.pickle))) {
    elements += (await readTensor(archive, name, tensor)).length;
  }
  return elements;
}

const pickled = pickleTensors({ x: { shape: [4] } });

test('openArchive: a file that is no zip is refused, naming it', async (t) => {
  const folder = await temporaryFolder(t);
  const contents = { empty: '', text: 'PK, but only text', html: '<html></html>'.repeat(1000) };
  for (const [name, content] of Object.entries(contents)) {
    const path = join(folder, name);
    await writeFile(path, content);
    await assert.rejects(openArchive(path), vlmoError('CHECKPOINT_INVALID', path, `${content.length} bytes`));
  }
  await assert.rejects(openArchive(folder), vlmoError('CHECKPOINT_INVALID', folder));
  await assert.rejects(openArchive(join(folder, 'none')), vlmoError('CHECKPOINT_NOT_FOUND', 'none'));
});

test('openArchive: a checkpoint cut off anywhere is refused', async (t) => {
  const path = join(await temporaryFolder(t), 'cut.pt');
  const { length } = await readFile(fixture('reference/vlmo-tiny/tiny_abs.pt'));
  for (const kept of [0.001, 0.1, 0.5, 0.9, 0.99, 1 - 22 / length, 1 - 1 / length]) {
    await copyFile(fixture('reference/vlmo-tiny/tiny_abs.pt'), path);
    await truncate(path, Math.round(kept * length));
    await assert.rejects(openArchive(path), vlmoError('CHECKPOINT_INVALID', path, 'cut off'));
  }
});

test('openArchive: a zip file of something else is refused', async (t) => {
  const folder = await temporaryFolder(t);
  const refused = async (name: string, entries: Parameters<typeof writeZip>[1], pattern: string) => {
    await writeZip(join(folder, name), entries);
    await assert.rejects(openArchive(join(folder, name)), vlmoError('CHECKPOINT_INVALID', name, pattern));
  };
  await refused('none', [], 'without "data.pkl"');
  await refused('other', [{ name: 'word/document.xml', data: Buffer.from('<x/>') }], 'without "data.pkl"');
  await refused('near', [{ name: 'archive/notdata.pkl', data: pickled }], 'without "data.pkl"');
  const compressed = { name: 'archive/data.pkl', data: pickled, compressed: true };
  await refused('compressed', [compressed], '"archive/data.pkl" compressed');
  await refused('outside', [{ name: '../../data.pkl', data: pickled }], '../../data.pkl');
  await refused('huge', [{ name: 'archive/data.pkl', data: { zeros: 65 * 1024 * 1024 } }], 'a pickle of');
});

test('openArchive: a folder of any name, or none, may hold the checkpoint', async (t) => {
  const folder = await temporaryFolder(t);
  for (const prefix of ['', 'archive/', 'vlmo base/', 'größe/', 'a/b/']) {
    const path = join(folder, `${prefix.length}.pt`);
    const storage = { name: `${prefix}data/0`, data: { zeros: 16 } };
    await writeZip(path, [{ name: `${prefix}data.pkl`, data: pickled }, storage]);
    assert.equal(await readAll(path), 4);
  }
});

test('openArchive: big-endian numbers are refused, little-endian ones said to be are read', async (t) => {
  const folder = await temporaryFolder(t);
  for (const order of ['little', 'big']) {
    const path = join(folder, order);
    await writeZip(path, [
      { name: 'a/data.pkl', data: pickled },
      { name: 'a/byteorder', data: Buffer.from(order) },
      { name: 'a/data/0', data: { zeros: 16 } },
    ]);
    if (order === 'little') assert.equal(await readAll(path), 4);
    else await assert.rejects(readAll(path), vlmoError('CHECKPOINT_INVALID', 'big-endian'));
  }
});

test('openArchive: 400 damaged files each end in tensors or a VlmoError', async (t) => {
  const folder = await temporaryFolder(t);
  const random = seededRandom(11);
  const original = await readFile(fixture('wrappings/state_dict_f32.pt'));
  const ends = { tensors: 0, error: 0 };
  const path = join(folder, 'damaged.pt');
  for (let round = 0; round < 400; round++) {
    const bytes = Buffer.from(original);
    // Half of the rounds damage the directory at the end, where most of a zip file's meaning is.
    const from = round % 2 === 0 ? 0 : bytes.length - 400;
    for (let flips = Math.floor(random() * 3); flips >= 0; flips--) {
      bytes[from + Math.floor(random() * (bytes.length - from))] = Math.floor(random() * 256);
    }
    await writeFile(path, bytes);
    try {
      await readAll(path);
      ends.tensors++;
    } catch (error) {
      if (!(error instanceof VlmoError)) throw new Error(`round ${round}`, { cause: error });
      ends.error++;
    }
  }
  assert.ok(ends.tensors > 40 && ends.error > 40, JSON.stringify(ends));
});
