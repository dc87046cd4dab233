import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { errnoOf } from '#machine-error.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { drawPictures, put } from '../pipeline/pictures.ts';

const BIN = fixture('../../bin/vlmo.js');
const FOLDER = await temporaryFolder({ after });
const PICTURES = join(FOLDER, 'pictures');
await mkdir(PICTURES);
await drawPictures(PICTURES, 0, 4);
await put(FOLDER, 'a-file', '');
await mkdir(join(FOLDER, 'place'));
const SECONDS = 60;

/** Mounts that nobody else sees; where the machine allows none, there is nothing to test. */
const mounted = (options: string, place: string): string =>
  `mount -t tmpfs -o ${options} none ${place} || exit 77;`;

/** Lines of a shell before the command, and what the one line on stderr says. */
const FAULTS: Readonly<Record<string, readonly [string, RegExp]>> = {
  'TMPDIR is a file': [`export TMPDIR=${FOLDER}/a-file;`, /ENOTDIR/],
  'TMPDIR is for reading only': [
    `${mounted('ro', `${FOLDER}/place`)} export TMPDIR=${FOLDER}/place;`,
    /EROFS/,
  ],
  'TMPDIR is missing where no folder can be made': [
    `${mounted('ro', `${FOLDER}/place`)} export TMPDIR=${FOLDER}/place/none;`,
    /ENOENT/,
  ],
  'no room in /dev/shm and TMPDIR': [
    `${mounted('size=100k', '/dev/shm')} ${mounted('size=100k', `${FOLDER}/place`)} export TMPDIR=${FOLDER}/place;`,
    /ENOSPC/,
  ],
  'too few open files': ['ulimit -n 30;', /128 files open, received 30/],
};

describe('vlmo index on a machine that lacks something ends with one line, the reason, and exit code 1', () => {
  for (const [name, [before, reason]] of Object.entries(FAULTS)) {
    test(name, async (t) => {
      const { code, stderr, seconds } = await index(before, name);
      if (code === 77) return t.skip('mounting needs root');
      assert.equal(code, 1, stderr);
      const said = stderr.split('\n').filter((line) => line.startsWith('vlmo: '));
      assert.deepEqual([said.length, / {4}at /.test(stderr)], [1, false], stderr);
      assert.match(said[0] ?? '', /^vlmo: Cannot .* \[MACHINE_FAILED\]$/);
      assert.match(said[0] ?? '', reason);
      assert.ok(seconds < SECONDS, `${seconds} s`);
    });
  }

  for (const [name, before] of [
    ['as many open files as it says it needs', 'ulimit -n 128;'],
    ['no room in /dev/shm alone', mounted('size=100k', '/dev/shm')],
    ['/dev/shm for reading only', mounted('ro', '/dev/shm')],
  ] as const) {
    test(`and does all where there is enough: ${name}`, async (t) => {
      const { code, stdout, stderr } = await index(before, name);
      if (code === 77) return t.skip('mounting needs root');
      assert.equal(code, 0, stderr);
      assert.equal(JSON.parse(stdout).stored, 4);
    });
  }
});

test('errnoOf: what the system says, also as a cause, and nothing else', () => {
  const error = Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'read' });
  assert.deepEqual([error, new Error('x', { cause: error }), { code: 'EIO' }, new Error('y')].map(errnoOf), [
    'EIO',
    'EIO',
    undefined,
    undefined,
  ]);
});

async function index(before: string, name: string) {
  const place = join(FOLDER, name.replaceAll(/\W/g, '-'));
  const args = ['index', PICTURES, '--index', place, '--model', 'demo', '--device', 'cpu', '--json'];
  const begun = performance.now();
  const shell = ['sh', '-c', `${before} exec "$@"`, 'sh', process.execPath, BIN, ...args];
  const [program = '', ...rest] = before.startsWith('mount') ? ['unshare', '-m', ...shell] : shell;
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [code] = (await once(child, 'close')) as [number | null];
  const [said, isAllowed] = [await stderr, !(await stderr).startsWith('unshare:')];
  return {
    code: isAllowed ? code : 77,
    stdout: await stdout,
    stderr: said,
    seconds: (performance.now() - begun) / 1000,
  };
}
