import { parseArgs } from 'node:util';
import { fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, count: { type: 'string', default: '2000' } },
});
const started = performance.now();
const { items, refused, faults } = await fuzz(Number(values.seed), Number(values.count), (done) => {
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  process.stderr.write(`${done} sources, ${seconds} s\n`);
});
for (const [seed, difference] of faults) console.log(`seed ${seed}: ${difference}`);
console.log(
  `${values.count} sources from seed ${values.seed}: ${items} items through each door, ${refused} sources refused, ${faults.size} differ.`,
);
process.exitCode = faults.size > 0 ? 1 : 0;
