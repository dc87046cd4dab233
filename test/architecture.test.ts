import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { ARROWS, breaches, importsOf, type Tree, targetOf } from './architecture-rules.ts';
import { fixture } from './fixtures/files.ts';

const ROOT = fixture('../..');
const SKIPPED = new Set(['node_modules', 'dist', 'out', '.git', '.train', 'docs', 'models']);

/** Its texts of made-up files are no imports of its own. */
const SELF = 'test/architecture.test.ts';

/** Every TypeScript file of the project but this one. */
async function readTree(folder = ''): Promise<Map<string, string>> {
  const tree = new Map<string, string>();
  for (const entry of await readdir(`${ROOT}/${folder}`, { withFileTypes: true })) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory() && !SKIPPED.has(entry.name))
      for (const [name, text] of await readTree(`${path}/`)) tree.set(name, text);
    else if (entry.isFile() && /\.tsx?$/.test(entry.name) && path !== SELF)
      tree.set(path, await readFile(`${ROOT}/${path}`, 'utf8'));
  }
  return tree;
}

/** A tree that keeps every rule, with some files put in or changed. */
function madeUp(changes: Readonly<Record<string, string>>): Tree {
  return new Map(
    Object.entries({
      'errors.ts': 'export class VlmoError {}',
      'index.ts': "export { run } from './pipeline/run.ts';",
      'cli/main.ts': "import { run } from '#pipeline/run.ts';\nimport { show } from './show.ts';",
      'cli/show.ts': "import { VlmoError } from '#errors.ts';",
      'pipeline/run.ts':
        "import type {\n  Pool,\n} from '#workers/threads/pools.ts';\nimport type { Row } from '#store/contract.ts';",
      'workers/threads/pools.ts':
        "import { load } from '#model/load.ts';\nimport.meta.resolve('#workers/threads/a.worker.ts');",
      'workers/threads/a.worker.ts': "import { load } from '#model/load.ts';",
      'model/load.ts': "import sharp from 'sharp';\nimport { readFile } from 'node:fs/promises';",
      'model/config.ts': '',
      'store/contract.ts': "import './side.ts';",
      'store/side.ts': '',
      'test/a.test.ts': "import '#cli/main.ts';\nimport '../model/load.ts';",
      ...changes,
    }),
  );
}

describe('architecture', () => {
  test('the project keeps its arrows', async () => {
    assert.deepEqual(breaches(await readTree()), []);
  });

  test('one family of models is named by its own folder, and by who imports it', async () => {
    const named = /\bVlmo\b|VlmoConfig|Vlmo\(|model\/vlmo|\.\/vlmo\//;
    const known = new Set([
      'index.ts',
      'cli/model-command.ts',
      'model/open-model.ts',
      'devices/known-answers.ts',
    ]);
    for (const [file, text] of await readTree()) {
      const isProduct = Object.keys(ARROWS).some((folder) => file.startsWith(`${folder}/`));
      if (isProduct && !file.startsWith('model/vlmo/') && !known.has(file))
        assert.doesNotMatch(text, named, file);
    }
  });

  test('every file is read, and every import in it', async () => {
    const tree = await readTree();
    for (const folder of Object.keys(ARROWS).filter((name) => name !== 'server')) {
      assert.ok(
        [...tree.keys()].some((file) => file.startsWith(`${folder}/`)),
        folder,
      );
    }
    for (const file of ['index.ts', 'errors.ts', 'test/errors.test.ts']) assert.ok(tree.has(file), file);
    for (const [file, text] of tree) {
      // Another way to count: lines that end in `from '…';`, or are `import '…';`.
      const lines = text.split('\n').filter((line) => /(^|\s|\})from '[^']+'( with \{.*\})?;$/.test(line));
      const bare = text.split('\n').filter((line) => /^import '[^']+';$/.test(line));
      const found = importsOf(text).filter(({ isDynamic }) => !isDynamic);
      assert.equal(found.length, lines.length + bare.length, file);
    }
  });

  test('targetOf: a path in this project, or nothing for a package', () => {
    assert.equal(targetOf('model/preprocess/a.ts', '../config.ts'), 'model/config.ts');
    assert.equal(targetOf('cli/a.ts', './b.ts'), 'cli/b.ts');
    assert.equal(targetOf('cli/a.ts', '#errors.ts'), 'errors.ts');
    assert.equal(targetOf('cli/a.ts', 'node:fs'), undefined);
  });

  test('a tree that keeps every rule has no breach', () => {
    assert.deepEqual(breaches(madeUp({})), []);
  });

  for (const [what, file, text, expected] of [
    ['an arrow that is not there', 'store/side.ts', "import '#model/load.ts';", 'store may import config'],
    [
      'a type that crosses it',
      'store/side.ts',
      "import type { X } from '#model/load.ts';",
      'store may import config',
    ],
    ['import() that crosses it', 'model/config.ts', "await import('#store/side.ts');", 'model may import'],
    ['pipeline to model', 'pipeline/run.ts', "import { load } from '#model/load.ts';", 'pipeline may import'],
    ['an import of cli', 'index.ts', "export * from './cli/main.ts';", 'nobody imports cli'],
    ['an import of a test', 'model/load.ts', "import '#test/a.test.ts';", 'nobody imports test'],
    ['another folder by ../', 'cli/show.ts', "import '../pipeline/run.ts';", 'another folder is "#"'],
    ['its own folder by #', 'cli/show.ts', "import '#cli/other.ts';", 'there is no such file'],
    ['its own folder by #, again', 'cli/show.ts', "import '#cli/main.ts';", 'in its folder, it is "./"'],
    [
      'a thread entry',
      'workers/threads/pools.ts',
      "import './a.worker.ts';",
      'the entry of a thread or a process is imported by nobody',
    ],
    ['errors that import', 'errors.ts', "import '#model/load.ts';", 'it is below everything'],
    ['a folder of leftovers', 'model/utils/a.ts', '', 'no folder is called "utils"'],
    [
      'a circle',
      'model/config.ts',
      "import './load.ts';",
      'a circle: model/load.ts -> model/config.ts -> model/load.ts',
    ],
  ] as const) {
    test(`${what} is a breach`, () => {
      const also = what === 'a circle' ? { 'model/load.ts': "import './config.ts';" } : {};
      const found = breaches(madeUp({ ...also, [file]: text }));
      assert.ok(
        found.some((breach) => breach.includes(expected)),
        `${expected} in ${found.join('\n')}`,
      );
    });
  }
});
