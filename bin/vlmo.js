#!/usr/bin/env node
import { existsSync, readFileSync } from 'node:fs';
import module from 'node:module';

// A clone runs the TypeScript; a package carries JavaScript, because Node strips no types under node_modules.
const source = new URL('../cli/main.ts', import.meta.url);
const isClone = existsSync(source);
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const needed = isClone ? '24' : '22.12';
const [word, ...more] = process.argv.slice(2);
const help = isClone ? undefined : writtenHelp();

if (isClone ? major < 24 : major < 22 || (major === 22 && minor < 12)) {
  const hint = isClone ? ' (npm ci brings one along: npx vlmo takes it)' : '';
  process.stderr.write(
    `vlmo: Cannot run: expected Node ${needed} or newer${hint}, received ${process.version}\n`,
  );
  process.exitCode = 1;
} else if ((word === '--version' || word === '-V') && more.length === 0) {
  // Answered here: nothing else has to be loaded. Whoever does not take it has seen enough.
  process.stdout.on('error', () => {});
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  process.stdout.write(`${version}\n`);
} else if (help !== undefined) {
  process.stdout.on('error', () => {});
  process.stdout.write(help);
} else {
  // onnxruntime would send telemetry, and leave a file of it in the temporary folder.
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  // TF32 would round the inputs of products to 11 bits. Read when CUDA starts, in this process and those it starts.
  process.env.NVIDIA_TF32_OVERRIDE ??= '0';
  // Read once, when the module loads. Its warnings say what is as it should be: that rows added to an approximate index
  // reach some of its partitions only, a line for each other one.
  process.env.LANCEDB_LOG ??= 'error';
  // What was compiled, types stripped, is kept for the next start, in the temporary folder or where NODE_COMPILE_CACHE says.
  module.enableCompileCache();
  await import(isClone ? source.href : new URL('../dist/cli/main.js', import.meta.url).href);
}

/** The help that was written when the package was made, where nothing but help is asked for. */
function writtenHelp() {
  const words = process.argv.slice(2);
  if (!['--help', '-h'].includes(words.pop() ?? '')) return undefined;
  return JSON.parse(readFileSync(new URL('../dist/help.json', import.meta.url), 'utf8'))[words.join(' ')];
}
