import { printHeader } from './report.ts';

type Bench = (args: readonly string[]) => Promise<void>;

/**
 * `npm run bench -- NAME [options]`: each benchmark compares in one run and prints ratios, machine and versions. Each is
 * loaded alone, so that one runs where a package that another needs is not installed.
 */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  approximate: async () => (await import('./approximate.ts')).approximate,
  concurrency: async () => (await import('./concurrency.ts')).concurrency,
  downloads: async () => (await import('./downloads.ts')).downloads,
  'end-to-end': async () => (await import('./end-to-end.ts')).endToEnd,
  exports: async () => (await import('./exports.ts')).exportsBench,
  gpu: async () => (await import('./gpu/gpu.ts')).gpu,
  memory: async () => (await import('./memory.ts')).memory,
  preprocessing: async () => (await import('./preprocessing.ts')).preprocessing,
  queue: async () => (await import('./queue.ts')).queue,
  scaling: async () => (await import('./scaling.ts')).scaling,
  server: async () => (await import('./server.ts')).serverBench,
  startup: async () => (await import('./startup.ts')).startup,
  tars: async () => (await import('./tars.ts')).tars,
  rerank: async () => (await import('./rerank.ts')).rerankBench,
  reranker: async () => (await import('./reranker.ts')).rerankerBench,
};

// As the program has it.
process.env.NVIDIA_TF32_OVERRIDE ??= '0';

const [name = '', ...args] = process.argv.slice(2);
const load = BENCHES[name];
if (!load) {
  process.stderr.write(
    `Cannot run benchmark "${name}": expected one of ${Object.keys(BENCHES).join(', ')}\n`,
  );
  process.exitCode = 1;
} else {
  printHeader(name, args);
  await (await load())(args);
}
