import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeJpegs } from './pictures.ts';
import { watchTree } from './process-tree.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Peak memory of `vlmo index` and its processes for 2,000 and for 20,000 pictures with the bundled model: it must not grow. */
export async function memory(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      small: { type: 'string', default: '2000' },
      large: { type: 'string', default: '20000' },
      photographs: { type: 'string' },
    },
  });
  const peaks: number[] = [];
  for (const count of [Number(values.small), Number(values.large)]) {
    const files = await makeJpegs(count, 160, 120, values.photographs);
    const peak = await peakOfIndexing(files);
    peaks.push(peak);
    console.log(
      `${count.toLocaleString('en-US').padStart(8)} pictures: peak ${Math.round(peak / 2 ** 20)} MiB`,
    );
  }
  console.log(`ratio ${((peaks[1] ?? 0) / (peaks[0] ?? 1)).toFixed(3)}`);
}

async function peakOfIndexing(files: string): Promise<number> {
  const index = await mkdtemp(join(tmpdir(), 'vlmo-bench-memory-'));
  const args = ['bin/vlmo.js', 'index', files, '--index', index, '--model', 'models/demo', '--json'];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'ignore' });
  const tree = watchTree(child);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  const peak = tree.stop();
  await rm(index, { recursive: true });
  if (code !== 0) throw new Error(`vlmo index ended with ${String(code)}`);
  return peak;
}
