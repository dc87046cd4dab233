import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fixture } from '../fixtures/files.ts';
import { type Ran, type RunOptions, runHere } from './run-here.ts';

const BIN = fixture('../../bin/vlmo.js');

export type { Ran };

export type Vlmo = ChildProcessByStdio<null, Readable, Readable>;

/** Starts the program as a user does. */
export function startVlmo(args: readonly string[], { cwd, env = {} }: RunOptions = {}): Vlmo {
  const options = { cwd, env: { ...process.env, ...env } };
  const child = spawn(process.execPath, [BIN, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  // Read from the start: what nobody has read when a process ends is lost.
  outcomes.set(child, watch(child));
  return child;
}

const outcomes = new WeakMap<Vlmo, Promise<Ran>>();

async function watch(child: Vlmo): Promise<Ran> {
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout: await stdout, stderr: await stderr };
}

/** How a process that `startVlmo` started ends. */
export function ended(child: Vlmo): Promise<Ran> {
  return outcomes.get(child) ?? watch(child);
}

/** Runs a command to its end: in this process, unless one of its own is asked for. */
export function vlmo(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return options.isProcess ? ended(startVlmo(args, options)) : runHere(args, options);
}

/** Runs what must end with this code, and gives its stdout as JSON lines. */
export async function vlmoJson<T>(
  args: readonly string[],
  code = 0,
  options: RunOptions = {},
): Promise<{ readonly lines: T[]; readonly stderr: string }> {
  const ran = await vlmo(args, options);
  assert.equal(ran.code, code, `${args.join(' ')}: ${ran.stderr}`);
  const lines = ran.stdout.split('\n');
  assert.equal(lines.pop(), '', 'stdout ends with a line');
  return { lines: lines.map((line) => JSON.parse(line) as T), stderr: ran.stderr };
}

/** Holds that a command could not run: exit code 1, nothing on stdout, and one line that says why. */
export async function assertCannotRun(
  args: readonly string[],
  code: string,
  ...parts: readonly string[]
): Promise<void> {
  const ran = await vlmo(args);
  assert.equal(ran.code, 1, ran.stderr);
  assert.equal(ran.stdout, '');
  const lines = ran.stderr.trimEnd().split('\n');
  assert.equal(lines.length, 1, `one line, not a stack: ${ran.stderr}`);
  assert.match(lines[0] ?? '', new RegExp(`^vlmo: Cannot .+: .+ \\[${code}\\]$`));
  for (const part of parts) assert.ok(ran.stderr.includes(part), `${part} in ${ran.stderr}`);
}
