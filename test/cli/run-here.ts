import { AsyncLocalStorage } from 'node:async_hooks';
import { createProgram } from '#cli/program.ts';
import { reportError } from '#cli/report-error.ts';

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** In a process of its own, as a user does: for what is read when a process starts, and for native crashes. */
  readonly isProcess?: true;
}

interface Printed {
  stdout: string;
  stderr: string;
}

// As bin/vlmo.js does, before the packages that read them are loaded.
process.env.ORT_DISABLE_TELEMETRY ??= '1';
process.env.LANCEDB_LOG ??= 'error';

/** What a command prints is its own; what the test runner prints at the same time is not. */
const printing = new AsyncLocalStorage<Printed>();
for (const name of ['stdout', 'stderr'] as const) {
  const stream = process[name];
  const write = stream.write.bind(stream);
  stream.write = ((...args: Parameters<typeof write>): boolean => {
    const printed = printing.getStore();
    if (printed === undefined) return write(...args);
    printed[name] += String(args[0]);
    return true;
  }) as typeof stream.write;
}

let last: Promise<unknown> = Promise.resolve();

/**
 * Runs a command in this process, which has the packages loaded already. Working directory, environment and exit code
 * are the process's: one command after the other.
 */
export function runHere(args: readonly string[], options: RunOptions): Promise<Ran> {
  const printed: Printed = { stdout: '', stderr: '' };
  const ran = last.then(() => printing.run(printed, () => run(args, options)));
  last = ran;
  return ran.then((code) => ({ code, signal: null, ...printed }));
}

async function run(args: readonly string[], { cwd = process.cwd(), env = {} }: RunOptions): Promise<number> {
  const before = { cwd: process.cwd(), env: { ...process.env }, argv: process.argv };
  process.chdir(cwd);
  Object.assign(process.env, env);
  process.argv = [...process.argv.slice(0, 2), ...args];
  process.exitCode = undefined;
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return reportError(error);
  } finally {
    process.exitCode = undefined;
    process.chdir(before.cwd);
    for (const name of Object.keys(env)) {
      if (before.env[name] === undefined) delete process.env[name];
      else process.env[name] = before.env[name];
    }
    process.argv = before.argv;
  }
}
