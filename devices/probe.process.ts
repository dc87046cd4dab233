import { errorMessage, VlmoError } from '#errors.ts';
import { isSoftwareGpu } from './gpu-facts.ts';
import { type Differences, KNOWN_ANSWERS } from './known-answers.ts';
import { measureBlock } from './probe-block.ts';
import { computeOnce, gflopsOf, vulkanDrivers } from './probe-graph.ts';
import type { ProbeDepth, ProbeReport } from './probe-report.ts';
import type { Provider } from './provider.ts';

/** The entry of the process that tries a provider out: provider and depth are its arguments, a JSON line its answer. */

const [, , provider = '', depth] = process.argv;

async function probe(): Promise<ProbeReport> {
  await computeOnce(provider, 'float32');
  const hasHalf = await computeOnce(provider, 'float16').then(
    () => true,
    () => false,
  );
  const drivers = vulkanDrivers();
  // In software a model takes long, and each proves itself when it is loaded.
  const isBrief = (depth as ProbeDepth) === 'works' && isSoftwareGpu(drivers);
  const differences = await checkAnswers(isBrief ? ['scores'] : ['scores', 'model']);
  const isTimed = (depth as ProbeDepth) === 'speed';
  const gflops = isTimed ? await gflopsOf(provider) : 0;
  const cpuGflops = isTimed ? await gflopsOf('cpu') : 0;
  const block = (depth as ProbeDepth) === 'block' ? await measureBlock(provider) : null;
  return { works: true, hasHalf, drivers, gflops, cpuGflops, block, differences };
}

async function checkAnswers(names: readonly (keyof typeof KNOWN_ANSWERS)[]): Promise<Differences> {
  const differences: Record<string, number> = {};
  for (const name of names) {
    const { knownAnswers } = (await import(import.meta.resolve(KNOWN_ANSWERS[name]))) as KnownAnswersModule;
    differences[name] = await knownAnswers(provider as Provider);
  }
  return differences;
}

interface KnownAnswersModule {
  knownAnswers(provider: Provider): Promise<number>;
}

const report = await probe().catch((error: unknown): ProbeReport => {
  const reason = errorMessage(error);
  const isWrong = error instanceof VlmoError && error.code === 'DEVICE_WRONG';
  return isWrong ? { works: false, reason, wrong: reason } : { works: false, reason };
});
process.stdout.write(`${JSON.stringify(report)}\n`);
