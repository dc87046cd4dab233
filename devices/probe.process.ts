import { errorMessage } from '#errors.ts';
import { measureBlock } from './probe-block.ts';
import { computeOnce, gflopsOf, vulkanDrivers } from './probe-graph.ts';
import type { ProbeDepth, ProbeReport } from './probe-report.ts';

/** The entry of the process that tries a provider out: provider and depth are its arguments, a JSON line its answer. */

const [, , provider = '', depth] = process.argv;

async function probe(): Promise<ProbeReport> {
  await computeOnce(provider, 'float32');
  const hasHalf = await computeOnce(provider, 'float16').then(
    () => true,
    () => false,
  );
  const isTimed = (depth as ProbeDepth) === 'speed';
  const gflops = isTimed ? await gflopsOf(provider) : 0;
  const cpuGflops = isTimed ? await gflopsOf('cpu') : 0;
  const block = (depth as ProbeDepth) === 'block' ? await measureBlock(provider) : null;
  return { works: true, hasHalf, drivers: vulkanDrivers(), gflops, cpuGflops, block };
}

const report = await probe().catch(
  (error: unknown): ProbeReport => ({ works: false, reason: errorMessage(error) }),
);
process.stdout.write(`${JSON.stringify(report)}\n`);
