import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { put } from '../pipeline/pictures.ts';
import { vlmo, vlmoJson } from './cli-fixture.ts';
import { mountDisk, remount } from './disk.ts';

const CAPTIONS = 12_000;
const MODEL = await importTiny(await temporaryFolder({ after }));

test('vlmo index: a disk that fills up is an error and exit code 1; with room again, a rerun finishes', async (t) => {
  const folder = await temporaryFolder(t);
  const place = join(folder, 'disk');
  await mkdir(place);
  using disk = mountDisk(place, '1200k');
  if (!disk) return t.skip('mounting a disk needs root');
  const rows = Array.from({ length: CAPTIONS }, (_, n) => `c${n},a red dog ${n}`);
  await put(folder, 'list.csv', ['id,caption', ...rows].join('\n'));
  const index = join(place, 'index');
  const args = [
    'index',
    join(folder, 'list.csv'),
    '--index',
    index,
    '--model',
    MODEL,
    '--device',
    'cpu',
    '--json',
  ];
  const full = await vlmo(args, { isProcess: true });
  assert.deepEqual([full.code, full.stdout], [1, '']);
  assert.match(full.stderr, /^vlmo: .*No space left on device.* \[STORE_WRITE_FAILED\]$/m);

  remount(place, 'size=64m');
  const { lines } = await vlmoJson<{ stored: number; skipped: number; failed: number }>(args, 0, {
    isProcess: true,
  });
  const { stored = 0, skipped = 0, failed } = lines[0] ?? {};
  assert.deepEqual([stored + skipped, failed], [CAPTIONS, 0]);
  assert.ok(skipped > 0, 'what was committed before the disk was full is kept');
  assert.equal(
    (await vlmo(['search', 'red', '--index', index, '--in', 'captions'], { isProcess: true })).code,
    0,
  );
});
