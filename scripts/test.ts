import { globSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { providePrograms } from './programs.ts';

/**
 * `npm test`: the files given, or all. Two files at a time; those that say `// Runs alone: …`, because they measure or own
 * a device, one after the other before them. One summary at the end, as of one run.
 */

type Counts = Record<'tests' | 'suites' | 'passed' | 'failed' | 'cancelled' | 'skipped' | 'todo', number>;
type Event = { readonly type: string; readonly data: Readonly<Record<string, unknown>> };

const AT_A_TIME = 2;
const ALONE = /^\/\/ Runs alone: /m;
/** In the runner's words, in its order. */
const WORDS: readonly (readonly [word: string, count: keyof Counts])[] = [
  ['tests', 'tests'],
  ['suites', 'suites'],
  ['pass', 'passed'],
  ['fail', 'failed'],
  ['cancelled', 'cancelled'],
  ['skipped', 'skipped'],
  ['todo', 'todo'],
];

/** The events of both runs, with one summary. Sets the exit code where a test failed. */
async function* runAll(files: readonly string[]): AsyncGenerator<Event> {
  const started = performance.now();
  const alone = files.filter((file) => ALONE.test(readFileSync(file, 'utf8')));
  const together = files.filter((file) => !alone.includes(file));
  const summaries: Event[] = [];
  for (const [some, concurrency] of [
    [alone, 1],
    [together, AT_A_TIME],
  ] as const) {
    if (some.length === 0) continue;
    for await (const event of run({ files: some, concurrency }) as AsyncIterable<Event>) {
      if (isSummary(event)) summaries.push(event);
      else if (!isSummaryLine(event)) yield event;
    }
  }
  const counts = sum(summaries.map(({ data }) => data.counts as Counts));
  if (!summaries.every(({ data }) => data.success)) process.exitCode = 1;
  const duration_ms = performance.now() - started;
  for (const [word, name] of WORDS) yield diagnostic(`${word} ${counts[name]}`);
  yield diagnostic(`duration_ms ${duration_ms}`);
  yield { type: 'test:summary', data: { success: process.exitCode !== 1, counts, duration_ms } };
}

/** The summary of a run; each file has one too. */
function isSummary({ type, data }: Event): boolean {
  return type === 'test:summary' && data.file === undefined;
}

function isSummaryLine({ type, data }: Event): boolean {
  const words = [...WORDS.map(([word]) => word), 'duration_ms'].join('|');
  return (
    type === 'test:diagnostic' &&
    data.nesting === 0 &&
    new RegExp(`^(${words}) [\\d.]+$`).test(String(data.message))
  );
}

function diagnostic(message: string): Event {
  return { type: 'test:diagnostic', data: { nesting: 0, message, level: 'info' } };
}

function sum(all: readonly Counts[]): Counts {
  const total = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
  for (const counts of all) for (const [, name] of WORDS) total[name] += counts[name];
  return total;
}

providePrograms();
process.chdir(fileURLToPath(new URL('..', import.meta.url)));
// Types are stripped and code compiled once for all files, each of which is a process.
// As the program has it.
process.env.NVIDIA_TF32_OVERRIDE ??= '0';
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'vlmo-compile-cache');
const given = process.argv.slice(2);
const files = globSync(given.length > 0 ? given : 'test/**/*.test.ts').toSorted();
if (files.length === 0) throw new Error(`Cannot test: no file matches ${given.join(' ')}`);
await pipeline(Readable.from(runAll(files)), new spec(), process.stdout);
