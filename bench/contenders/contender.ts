import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a contender is asked: it runs in a process of its own and prints its rate as JSON. */
export interface Task {
  readonly model: string;
  readonly files: string;
  /** Pictures to do; a few more go before the clock starts. */
  readonly count: number;
  readonly [option: string]: string | number;
}

/** Runs `bench/contenders/NAME.ts` and returns its pictures a second. */
export function measure(name: string, task: Task): number {
  const script = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
  const { stdout, status } = spawnSync(process.execPath, [script, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`Contender "${name}" ended with ${status}`);
  const { rate } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as { rate?: number };
  if (rate === undefined) throw new Error(`Contender "${name}" gave no rate`);
  return rate;
}

/** The task of this process. */
export function readTask(): Task {
  return JSON.parse(process.argv[2] ?? '{}') as Task;
}

export function reportRate(pictures: number, milliseconds: number): void {
  console.log(JSON.stringify({ rate: (1000 * pictures) / milliseconds }));
}
