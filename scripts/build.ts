import { execFileSync } from 'node:child_process';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { createProgram } from '#cli/program.ts';
import packageJson from '#package.json' with { type: 'json' };

/**
 * Makes `dist/`, the JavaScript that `npm pack` ships: Node strips no types under node_modules. `#folder/file.ts` becomes the
 * place of the compiled file, and the help of every command is written down. `--clean` takes it away again.
 */

const root = fileURLToPath(new URL('..', import.meta.url));
/** What the code reads beside itself. */
const DATA_FILES = ['onnx/onnx.proto'];
const HELP_WIDTH = 80;

process.chdir(root);
await rm('dist', { recursive: true, force: true });
if (!process.argv.includes('--clean')) {
  // tsc does not check here (`npm run types` does): it would refuse to emit imports that only Node resolves.
  execFileSync('npx', ['tsc', '--project', 'scripts/tsconfig.build.json'], { stdio: 'inherit' });
  for (const file of DATA_FILES) await cp(file, `dist/${file}`);
  execFileSync('npx', ['vite', 'build', '--outDir', '../dist/web', '--logLevel', 'warn', 'web'], {
    stdio: 'inherit',
  });
  const { name, version, description } = packageJson;
  await writeFile(
    'dist/package.json',
    `${JSON.stringify({ name, version, description, type: 'module' }, null, 2)}\n`,
  );
  for (const file of await readdir('dist', { recursive: true }))
    if (/\.(js|d\.ts)$/.test(file)) await resolveImports(file);
  await writeFile('dist/help.json', `${JSON.stringify(helpTexts(createProgram()))}\n`);
}

/** Bundlers and checkers look for `imports` in the package's own package.json alone. */
async function resolveImports(file: string): Promise<void> {
  const text = await readFile(join('dist', file), 'utf8');
  const up = relative(dirname(file), '.') || '.';
  const toPlace = (_: string, quote: string, place: string): string =>
    `${quote}${up}/${place.replace(/\.ts$/, '.js')}${quote}`;
  await writeFile(join('dist', file), text.replace(/(['"])#([\w./-]+\.(?:ts|json|proto))\1/g, toPlace));
}

/** What `vlmo … --help` prints, by the words of the command. */
function helpTexts(program: Command): Record<string, string> {
  const texts: Record<string, string> = {};
  const add = (command: Command, words: readonly string[]): void => {
    command.configureOutput({ getOutHelpWidth: () => HELP_WIDTH });
    texts[words.join(' ')] = command.helpInformation();
    for (const inner of command.commands) add(inner as Command, [...words, inner.name()]);
  };
  add(program, []);
  return texts;
}
