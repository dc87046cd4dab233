import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Vlmo } from './cli-fixture.ts';

const POLL_MS = 2;

/** Commits that an index has had: each leaves a file for its version of a table. */
export function countCommits(index: string): number {
  const lance = join(index, 'lance');
  return list(lance).reduce((sum, table) => sum + list(join(lance, table, '_versions')).length, 0);
}

/** Waits until an index has had so many commits, or the process has ended; false where it has. */
export function untilCommits(index: string, commits: number, child: Vlmo): Promise<boolean> {
  return until(() => countCommits(index) >= commits, child);
}

/** Waits until the first run of an index has written its record: from then on it takes items. */
export function untilTaking(index: string, child: Vlmo): Promise<boolean> {
  return until(() => list(join(index, 'lance', 'runs.lance', 'data')).length > 0, child);
}

/** Waits until a fresh index holds the first captions. */
export function untilCaptions(index: string, child: Vlmo): Promise<boolean> {
  const lance = join(index, 'lance');
  const tables = (): string[] => list(lance).filter((name) => name.endsWith('.captions.lance'));
  return until(() => tables().some((table) => list(join(lance, table, 'data')).length > 0), child);
}

function until(holds: () => boolean, child: Vlmo): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const isOver = child.exitCode !== null || child.signalCode !== null;
      if (!isOver && !holds()) return;
      clearInterval(timer);
      resolve(!isOver);
    }, POLL_MS);
  });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
