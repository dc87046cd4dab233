// Runs alone: it makes and removes dist/.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import packageJson from '#package.json' with { type: 'json' };
import { fixture, temporaryFolder } from './fixtures/files.ts';
import { drawPictures } from './pipeline/pictures.ts';

const ROOT = fixture('../..');
const execute = promisify(execFile);
// What npm hands its scripts would point a nested npm at this project; the install script of onnxruntime downloads CUDA.
const ENV = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
  ONNXRUNTIME_NODE_INSTALL: 'skip',
};

async function npm(cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute('npm', args, { cwd, env: ENV, maxBuffer: 1e8 });
  return stdout;
}

test('npm pack: installed in an empty folder it indexes and searches with plain Node 24 and 22; Node 20 is refused', async (t) => {
  const folder = await temporaryFolder(t);
  const [packed = '', user = '', other = '', older = ''] = ['packed', 'user', 'node22', 'node20'].map(
    (name) => join(folder, name),
  );
  for (const path of [packed, user, other, older]) await mkdir(path);
  const before = await readdir(ROOT);
  const [{ filename, files }] = JSON.parse(
    await npm(ROOT, 'pack', '--json', '--pack-destination', packed),
  ) as [{ filename: string; files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const path of [
    'bin/vlmo.js',
    'dist/index.js',
    'dist/index.d.ts',
    'dist/web/index.html',
    'models/demo/config.json',
    'README.md',
    'LICENSE',
  ])
    assert.ok(paths.includes(path), path);
  const foreign = paths.filter(
    (path) => /^(test|bench|demo|training|scripts)\//.test(path) || path.endsWith('.pt'),
  );
  assert.deepEqual(foreign, []);
  assert.deepEqual(await readdir(ROOT), before, 'nothing is left in the tree');

  const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  for (const path of [user, other, older]) await writeFile(join(path, 'package.json'), '{ "private": true }');
  await npm(user, 'install', join(packed, filename), ...quiet);
  await npm(other, 'install', 'node@22', ...quiet);
  await npm(older, 'install', 'node@20', ...quiet);
  await drawPictures(join(user, 'pictures'), 0, 6);
  const bin = join(user, 'node_modules/.bin/vlmo');
  assert.ok(existsSync(bin));

  const clone = execute(join(other, 'node_modules/node/bin/node'), [join(ROOT, 'bin/vlmo.js'), '--version']);
  await assert.rejects(clone, /vlmo: Cannot run: expected Node 24 or newer \(.*received v22\./);

  const old = execute(join(older, 'node_modules/node/bin/node'), [bin, 'search', 'red']);
  await assert.rejects(old, /vlmo: Cannot run: expected Node 22\.12 or newer, received v20\./);
  await checkStart(bin, folder);

  for (const node of [process.execPath, join(other, 'node_modules/node/bin/node')]) {
    const vlmo = async (...args: string[]): Promise<string> =>
      (await execute(node, [bin, ...args], { cwd: user, env: ENV })).stdout;
    const { stdout: version } = await execute(node, ['--version']);
    const index = `index-${version.trim()}`;
    assert.equal(await vlmo('--version'), `${packageJson.version}\n`);
    const indexed = JSON.parse(
      await vlmo('index', 'pictures', '--index', index, '--model', 'demo', '--json'),
    );
    assert.deepEqual([indexed.state, indexed.stored, indexed.failed], ['complete', 6, 0], version);
    const found = JSON.parse(await vlmo('search', 'red', '--index', index, '-k', '3', '--json'));
    assert.equal(found.hits.length, 3);
    const imported = await execute(
      node,
      [
        '--input-type=module',
        '-e',
        `import { openIndex } from '${packageJson.name}'; console.log(typeof openIndex)`,
      ],
      { cwd: user, env: ENV },
    );
    assert.equal(imported.stdout, 'function\n');
  }
});

/** Times the CPU of an empty program. */
const MAX_CPU = { '--version': 1.5, '--help': 2.5, 'search --help': 2.5, '--nope': 2.5, nope: 2.5 };
const ROUNDS = 9;

/** What says or refuses something loads nothing heavy, and costs little; help is what commander prints. */
async function checkStart(bin: string, folder: string): Promise<void> {
  const empty = join(folder, 'empty.js');
  await writeFile(empty, '');
  const modules = join(folder, 'modules.txt');
  const env = { ...ENV, LOADED_MODULES: modules };
  const calls: (readonly [string, number])[] = Object.entries(MAX_CPU);
  for (const [words] of calls) {
    const recorder = `--import=${fixture('loaded-modules.ts')}`;
    await execute(process.execPath, [recorder, bin, ...words.split(' ')], { env }).catch(() => undefined);
    const loaded = (await readFile(modules, 'utf8')).split('\n');
    const heavy = loaded.filter((url) => /\/node_modules\/(zod|@lancedb|sharp|onnxruntime|apache)/.test(url));
    assert.deepEqual(heavy, [], words);
    // It is the file of --help and --version itself, and what asks for nothing more.
    if (words.includes('--help') || words === '--version') assert.equal(loaded.length, 1, words);
  }
  for (const word of ['search', 'worker']) {
    const written = await execute(process.execPath, [bin, word, '--help']);
    assert.equal(written.stdout, (await execute(process.execPath, [bin, 'help', word])).stdout);
  }
  const cpu = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++)
    for (const [words] of [...calls, ['', 1] as const]) {
      const args = words === '' ? [empty] : [bin, ...words.split(' ')];
      cpu.set(words, [...(cpu.get(words) ?? []), await cpuOf(args)]);
    }
  const median = (words: string): number => cpu.get(words)?.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? 0;
  for (const [words, most] of calls) {
    const ratio = median(words) / median('');
    assert.ok(ratio <= most, `${words}: ${ratio.toFixed(2)} times the CPU of an empty program`);
  }
}

/** Seconds of user and system, as the shell's `time` has them. */
async function cpuOf(args: readonly string[]): Promise<number> {
  const script = 'TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>/dev/null; true';
  const { stderr } = await execute('bash', ['-c', script, 'bash', process.execPath, ...args]);
  return stderr
    .trim()
    .split(' ')
    .map(Number)
    .reduce((sum, part) => sum + part, 0);
}
