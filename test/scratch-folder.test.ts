import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { describeProcess, isGone, isTagGone, processTag } from '#host-process.ts';
import { makeScratchFolder } from '#scratch-folder.ts';
import { fixture, temporaryFolder } from './fixtures/files.ts';

const MODULE = JSON.stringify(fixture('../../scratch-folder.ts'));
const PREFIX = 'vlmo-some-';

/** What a process does that makes a folder and prints its name; with `stay` it lives on. */
function code(parent: string, stay: boolean): string {
  const made = `import(${MODULE}).then((m) => m.makeScratchFolder(${JSON.stringify(parent)}, '${PREFIX}'))`;
  return `${made}.then((f) => console.log(f)); ${stay ? 'setInterval(() => {}, 1000)' : ''}`;
}

test('makeScratchFolder takes away what a killed process left, and nothing of a living one', async (t) => {
  const parent = await temporaryFolder(t);
  const child = spawn(process.execPath, ['-e', code(parent, true)], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const mine = basename(await makeScratchFolder(parent, PREFIX));
  assert.equal((await readdir(parent)).length, 2);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const second = basename(await makeScratchFolder(parent, PREFIX));
  assert.deepEqual((await readdir(parent)).sort(), [mine, second].sort());
});

test('a process of another namespace of numbers takes nothing away, and is taken nothing', async (t) => {
  const parent = await temporaryFolder(t);
  const mine = basename(await makeScratchFolder(parent, PREFIX));
  const args = ['--pid', '--fork', '--mount-proc', process.execPath, '-e', code(parent, false)];
  const ran = await promisify(execFile)('unshare', args).catch(() => undefined);
  if (!ran) return t.skip('a namespace needs root');
  // It has ended by now, but nobody here can tell that from one that lives.
  const theirs = basename(ran.stdout.trim());
  const third = basename(await makeScratchFolder(parent, PREFIX));
  assert.deepEqual((await readdir(parent)).sort(), [mine, theirs, third].sort());
});

test('names that are like ours and are none stay', async (t) => {
  const parent = await temporaryFolder(t);
  for (const name of [`${PREFIX}1-abcdef`, `${PREFIX}notes`, PREFIX]) await mkdir(join(parent, name));
  await makeScratchFolder(parent, PREFIX);
  assert.equal((await readdir(parent)).length, 4);
});

test('isGone and isTagGone: a number that another process has by now is gone, this process is not', () => {
  assert.deepEqual([isGone(describeProcess()), isTagGone(processTag())], [false, false]);
  const again = JSON.stringify({ ...JSON.parse(describeProcess()), started: '1' });
  assert.equal(isGone(again), true);
  assert.equal(isTagGone(processTag().replace(/^(\d+)-\d+-/, '$1-1-')), true);
  assert.equal(isTagGone('17'), undefined);
});
