// Runs alone: it makes and removes dist/.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
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

test('npm pack: installed in an empty folder it indexes and searches with plain Node 24 and 22', async (t) => {
  const folder = await temporaryFolder(t);
  const [packed, user, other] = ['packed', 'user', 'node22'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [packed, user, other]) await mkdir(path);
  const before = await readdir(ROOT);
  const [{ filename, files }] = JSON.parse(
    await npm(ROOT, 'pack', '--json', '--pack-destination', packed),
  ) as [{ filename: string; files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const path of [
    'bin/vlmo.js',
    'dist/index.js',
    'dist/index.d.ts',
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
  for (const path of [user, other]) await writeFile(join(path, 'package.json'), '{ "private": true }');
  await npm(user, 'install', join(packed, filename), ...quiet);
  await npm(other, 'install', 'node@22', ...quiet);
  await drawPictures(join(user, 'pictures'), 0, 6);
  const bin = join(user, 'node_modules/.bin/vlmo');
  assert.ok(existsSync(bin));

  const clone = execute(join(other, 'node_modules/node/bin/node'), [join(ROOT, 'bin/vlmo.js'), '--version']);
  await assert.rejects(clone, /vlmo: Cannot run: expected Node 24 or newer \(.*received v22\./);

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
