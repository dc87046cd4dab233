import { execFileSync } from 'node:child_process';
import { cp, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import packageJson from '#package.json' with { type: 'json' };

/**
 * Makes `dist/`, the JavaScript that `npm pack` ships: Node strips no types under node_modules. A package.json of its
 * own there maps `#folder/file.ts` to the compiled file, so that the code is the same in a clone and in a package.
 * `--clean` takes it away again.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
/** What the code reads beside itself. */
const DATA_FILES = ['onnx/onnx.proto'];

process.chdir(root);
await rm('dist', { recursive: true, force: true });
if (!process.argv.includes('--clean')) {
  // tsc does not check here (`npm run types` does): it would refuse to emit imports that only Node resolves.
  execFileSync('npx', ['tsc', '--project', 'scripts/tsconfig.build.json'], { stdio: 'inherit' });
  for (const file of DATA_FILES) await cp(file, `dist/${file}`);
  const { name, version, description } = packageJson;
  const imports = { '#*.ts': './*.js', '#*': './*' };
  await writeFile(
    'dist/package.json',
    `${JSON.stringify({ name, version, description, type: 'module', imports }, null, 2)}\n`,
  );
}
