import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { drawPictures, pictureName, put } from '../pipeline/pictures.ts';
import { type Ran, startVlmo, type Vlmo, vlmo } from './cli-fixture.ts';

export const PICTURES = 120;
const CAPTIONS = 6;
const BROKEN = 4;
/** Pictures, captions, and in every group of broken ones a file that is no picture, one that is missing, and bad JSON. */
export const ITEMS = PICTURES * (1 + CAPTIONS) + 3 * BROKEN;
export const FAILED = 3 * BROKEN;

/** A manifest with good and broken things in it, in a folder of its own. */
export async function writeSource(folder: string): Promise<string> {
  await drawPictures(folder, 0, PICTURES);
  const lines: string[] = [];
  for (let n = 0; n < PICTURES; n++) {
    const captions = Array.from({ length: CAPTIONS }, (_, c) => `red ${n} thing ${c}`);
    lines.push(JSON.stringify({ image: pictureName(n), captions, n }));
    if (n % (PICTURES / BROKEN) !== 0) continue;
    await put(folder, `broken${n}.png`, `no picture ${n}`);
    for (const image of [`broken${n}.png`, `missing${n}.png`]) lines.push(JSON.stringify({ image }));
    lines.push(`{ not JSON ${n}`);
  }
  const source = join(folder, 'list.jsonl');
  await writeFile(source, lines.join('\n'));
  return source;
}

/** Starts a worker with short times, so that what waits for a time-out does not wait long. */
export function startWorker(
  index: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Vlmo {
  const times = ['--lock-duration', '2', '--drain-timeout', '20'];
  const threads = ['--inference-workers', '1', '--decode-threads', '1'];
  return startVlmo(['worker', '--index', index, ...times, ...threads, ...args], { env });
}

export interface Standing {
  readonly run: string;
  readonly state: string;
  readonly seen: number;
  readonly stored: number;
  readonly skipped: number;
  readonly failed: number;
  readonly waiting: number;
  readonly workers: number | null;
}

/** What `vlmo status RUN --json` says. */
export async function standing(
  index: string,
  run: string,
  env: Readonly<Record<string, string>>,
): Promise<Standing> {
  const ran: Ran = await vlmo(['status', run, '--index', index, '--json'], { env });
  assert.equal(ran.code, 0, ran.stderr);
  return JSON.parse(ran.stdout) as Standing;
}

/** Waits until a run stands as it should; fails after `seconds`. */
export async function untilStanding(
  index: string,
  run: string,
  env: Readonly<Record<string, string>>,
  holds: (standing: Standing) => boolean,
  seconds = 90,
): Promise<Standing> {
  let last: Standing | undefined;
  for (const until = Date.now() + seconds * 1000; Date.now() < until; ) {
    last = await standing(index, run, env);
    if (holds(last)) return last;
    await setTimeout(200);
  }
  assert.fail(`after ${seconds} seconds: ${JSON.stringify(last)}`);
}
