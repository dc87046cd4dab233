import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTask } from './contender.ts';

/** `vlmo index` as a user runs it, JPEG files to stored vectors; the summary's seconds leave out the model's loading. */
const task = readTask();
const index = mkdtempSync(join(tmpdir(), 'vlmo-bench-index-'));
const bin = fileURLToPath(new URL('../../bin/vlmo.js', import.meta.url));
const args = [
  'index',
  task.files,
  '--index',
  index,
  '--model',
  task.model,
  '--preprocess',
  String(task.preprocess),
  '--json',
];
const { stdout } = spawnSync(process.execPath, [bin, ...args], {
  stdio: ['ignore', 'pipe', 'ignore'],
  encoding: 'utf8',
});
rmSync(index, { recursive: true });
const { stored, seconds } = JSON.parse(stdout) as { stored: number; seconds: number };
console.log(JSON.stringify({ rate: stored / seconds }));
