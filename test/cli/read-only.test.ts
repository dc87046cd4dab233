import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openStore } from '#store/lance/open-store.ts';
import { openModelGeneration } from '../engine/engine-fixture.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import { clusteredVectors } from '../store/lance/clustered.ts';
import { captionRow, imageRow } from '../store/lance/store-fixture.ts';
import { type Ran, vlmo, vlmoJson } from './cli-fixture.ts';
import { mountDisk, remount } from './disk.ts';

const COUNT = 12;
/** Enough for an approximate index. */
const MANY = 10_000;
const NOBODY = 65_534;
const folder = await temporaryFolder({ after });
const [pictures, index, writable] = ['pictures', 'index', 'writable'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const MODEL = await importTiny(folder);

/** Everything that `vlmo search` does to an index, by its arguments beside --index. */
const SEARCHES: readonly (readonly string[])[] = [
  ['red'],
  ['"red"^2 -"thing"'],
  ['--image', join(pictures, pictureName(3))],
  ['--id', pictureName(2), '--in', 'captions'],
  ['red', '--keywords', 'violins 苹果'],
  ['red', '--hybrid', '--in', 'captions'],
  ['red', '--rerank', '5', '--min-match', '0'],
  ['red', '--in', 'captions', '--group-by', 'image_id'],
  ['red', '--where', "meta.n > 3 AND format = 'png'", '--meta'],
  ['red', '--where', 'meta.n < 9', '--keywords', 'thing', '--min-score', '-1', '-k', '2'],
  ['red', '--collection', 'many', '--approximate'],
  ['red', '--collection', 'many', '--approximate', '--in', 'images', '--keywords', 'p77'],
];

before(async () => {
  await drawPictures(pictures, 0, COUNT);
  const lines = Array.from({ length: COUNT }, (_, n) => {
    const captions = [`red ${n}`, n === 5 ? 'Two violins' : `thing ${n}`, n === 7 ? '一只红苹果' : `it ${n}`];
    return JSON.stringify({ image: pictureName(n), captions, n });
  });
  await put(pictures, 'list.jsonl', lines.join('\n'));
  await vlmoJson(['index', join(pictures, 'list.jsonl'), '--index', index, '--model', MODEL, '--json']);
  {
    await using store = await openStore(index, { create: false, write: true });
    const record = await openModelGeneration(store, MODEL, 'many');
    const { images, captions } = await store.tables(record);
    const { vectors } = clusteredVectors(MANY, record.dimensions, 1);
    const ids = Array.from({ length: MANY }, (_, n) => `p${n}`);
    await images.upsert({ rows: ids.map((id) => imageRow(id)), vectors });
    const rows = ids.slice(0, 100).map((id) => captionRow(id, { imageId: id }));
    await captions.upsert({ rows, vectors: vectors.slice(0, 100 * record.dimensions) });
    await images.buildVectorIndex();
  }
  await cp(index, writable, { recursive: true });
  // Whoever is nobody may read: folders of tests are closed.
  await chmod(folder, 0o755);
});

/** Every file with its size and time. */
async function contents(place: string): Promise<string[]> {
  const names = await readdir(place, { recursive: true });
  const stats = await Promise.all(names.map((name) => stat(join(place, name))));
  return names.map((name, i) => `${name} ${stats[i]?.size} ${stats[i]?.mtimeMs}`).sort();
}

/** A command as somebody who may write nothing there. */
function asNobody(args: readonly string[], tmp: string): Promise<Ran> {
  const isRoot = process.getuid?.() === 0;
  const env = { ...process.env, TMPDIR: tmp, HOME: tmp };
  const options = { env, ...(isRoot && { uid: NOBODY, gid: NOBODY }) };
  return new Promise((resolve) => {
    execFile(process.execPath, [fixture('../../bin/vlmo.js'), ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, signal: null, stdout, stderr });
    });
  });
}

interface Answer {
  readonly hits: readonly { readonly id: string; readonly score: number }[];
  readonly cursor: string | null;
}

async function compare(place: string, run: (args: readonly string[]) => Promise<Ran>): Promise<void> {
  const before = await contents(place);
  for (const asked of SEARCHES) {
    const args = ['search', ...asked, '--json', ...(asked.includes('-k') ? [] : ['-k', '4'])];
    const ran = await run([...args, '--index', place]);
    assert.equal(ran.code, 0, `${asked.join(' ')}: ${ran.stderr}`);
    const { lines } = await vlmoJson<Answer>([...args, '--index', writable]);
    const answer = JSON.parse(ran.stdout) as Answer;
    assert.deepEqual(answer.hits, lines[0]?.hits, asked.join(' '));
    assert.ok(answer.hits.length > 0, asked.join(' '));
    if (answer.cursor === null) continue;
    const next = await run([...args, '--index', place, '--cursor', answer.cursor]);
    assert.equal(next.code, 0, `next page of ${asked.join(' ')}: ${next.stderr}`);
  }
  assert.deepEqual(await contents(place), before, 'nothing was written');
}

describe('vlmo search with all its options', { timeout: 600_000 }, () => {
  test('an index on a disk that is mounted to be read only', async (t) => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    using mounted = mountDisk(disk, '200m');
    if (!mounted) return t.skip('mounting a disk needs root');
    const place = join(disk, 'index');
    await cp(index, place, { recursive: true });
    remount(disk, 'ro');
    await compare(place, (args) => vlmo(args));
  });

  test('an index of somebody else, as a user who may only read', async (t) => {
    const tmp = join(folder, 'tmp');
    await mkdir(tmp);
    await chmod(tmp, 0o777);
    for (const name of ['.', ...(await readdir(index, { recursive: true }))]) {
      const path = join(index, name);
      await chmod(path, (await stat(path)).isDirectory() ? 0o555 : 0o444);
    }
    const able = await asNobody(['--version'], tmp);
    if (able.code !== 0) return t.skip('the tree may not be read by others');
    await compare(index, (args) => asNobody(args, tmp));
    const left = (await readdir(tmp)).filter((name) => name.startsWith('vlmo-words'));
    assert.deepEqual(left, [], 'the copy of the captions is gone');
  });
});
