import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { put } from '../pipeline/pictures.ts';

const BIN = fixture('../../bin/vlmo.js');
const FOLDER = await temporaryFolder({ after });
const SOURCE = join(FOLDER, 'list.jsonl');
await put(FOLDER, 'list.jsonl', '{"id":"a","caption":"a red dog"}\n{ not JSON\n');

/** What a shell makes of a command and its exit code, which goes to descriptor 3 where a pipe hides it. */
const PLACES = {
  closed: '"$@" >&- 2>&-; echo $?',
  'a full disk': '"$@" >/dev/full 2>/dev/full; echo $?',
  'a pipe that nobody reads': '{ { "$@" 2>&1; echo $? >&3; } | true; } 3>&1',
} as const;

test('vlmo index: output that nobody takes changes neither the work nor its exit code', async () => {
  const codes = Object.entries(PLACES).map(async ([place, line], n) => {
    const index = ['--index', join(FOLDER, `index-${n}`)];
    return [place, await shell(line, ['index', SOURCE, ...index, '--model', 'demo', '--device', 'cpu'])];
  });
  // One of the source's lines cannot be read, and is listed as failed: exit code 2.
  assert.deepEqual(
    await Promise.all(codes),
    Object.keys(PLACES).map((place) => [place, '2\n']),
  );
});

test('commands that only print end quietly where their reader ends, and say so where there is no room', async () => {
  const index = join(FOLDER, 'index-0');
  for (const args of [['failures', '--index', index, '--json'], ['--version']]) {
    // stderr goes beside the exit code, so that a stack would be seen.
    const quiet = await shell('{ { "$@" 2>&3; echo $? >&3; } | true; } 3>&1', args);
    assert.equal(quiet, '0\n', args.join(' '));
  }
  const full = await shell('"$@" 2>&1 >/dev/full; echo $?', ['failures', '--index', index, '--json']);
  assert.match(full, /^vlmo: Cannot print the output: .*ENOSPC.* \[RESULTS_UNWRITABLE\]\n1\n$/);
});

async function shell(line: string, args: readonly string[]): Promise<string> {
  const child = spawn('sh', ['-c', line, 'sh', process.execPath, BIN, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return said;
}
