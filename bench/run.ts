import { endToEnd } from './end-to-end.ts';
import { memory } from './memory.ts';
import { preprocessing } from './preprocessing.ts';
import { queue } from './queue.ts';
import { printHeader } from './report.ts';

/** `npm run bench -- NAME [options]`: each benchmark compares in one run and prints ratios, machine and versions. */
const BENCHES: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  'end-to-end': endToEnd,
  memory,
  preprocessing,
  queue,
};

const [name = '', ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (!bench) {
  process.stderr.write(
    `Cannot run benchmark "${name}": expected one of ${Object.keys(BENCHES).join(', ')}\n`,
  );
  process.exitCode = 1;
} else {
  printHeader(name, args);
  await bench(args);
}
