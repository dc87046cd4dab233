import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openModel } from '#model/open-model.ts';
import { pictureBatchSize } from '#pipeline/batch-size.ts';
import { measure } from './contenders/contender.ts';
import { makeJpegs } from './pictures.ts';
import { randomBaseModel } from './random-model.ts';
import { median } from './report.ts';

const DEMO = fileURLToPath(new URL('../models/demo', import.meta.url));

/**
 * JPEG files to stored vectors, against bare `session.run` on ready tensors (the ceiling), the decode alone, the naive
 * loop and transformers.js, on the same model, files and cores. Contenders take turns; medians of the rounds.
 */
export async function endToEnd(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'string', default: 'base' },
      width: { type: 'string', default: '640' },
      height: { type: 'string', default: '480' },
      count: { type: 'string', default: '128' },
      rounds: { type: 'string', default: '3' },
      photographs: { type: 'string' },
    },
  });
  const model =
    values.model === 'base' ? await randomBaseModel() : values.model === 'demo' ? DEMO : values.model;
  const opened = await openModel(model);
  const count = Number(values.count);
  const files = await makeJpegs(count, Number(values.width), Number(values.height), values.photographs);
  const [cores, batch] = [availableParallelism(), pictureBatchSize(opened)];
  const bareCount = Math.max(count, batch * cores * 4);
  const task = { model, files, count };
  const contenders: Readonly<Record<string, () => number>> = {
    'bare, 1 session on all cores': () =>
      measure('bare', { ...task, count: bareCount, sessions: 1, threads: cores, batch }),
    'bare, 1 session a core': () =>
      measure('bare', { ...task, count: bareCount, sessions: cores, threads: 1, batch }),
    'decode alone, fast': () => measure('decode', { ...task, preprocess: 'fast' }),
    'decode alone, reference': () => measure('decode', { ...task, preprocess: 'reference' }),
    'vlmo index, fast': () => measure('vlmo-index', { ...task, preprocess: 'fast' }),
    'vlmo index, reference': () => measure('vlmo-index', { ...task, preprocess: 'reference' }),
    naive: () => measure('naive', task),
    'transformers.js, one a call': () => measure('transformers', { ...task, batch: 1 }),
    [`transformers.js, ${batch} a call`]: () => measure('transformers', { ...task, batch }),
  };
  const rates = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, run] of Object.entries(contenders)) rates.get(name)?.push(run());
  }
  print(new Map([...rates].map(([name, all]) => [name, median(all)])));
}

function print(rates: ReadonlyMap<string, number>): void {
  const of = (name: string): number => rates.get(name) ?? Number.NaN;
  const bare = Math.max(of('bare, 1 session on all cores'), of('bare, 1 session a core'));
  for (const [name, rate] of rates)
    console.log(
      `${name.padEnd(32)} ${rate.toFixed(2).padStart(10)} pictures/s   ${(rate / bare).toFixed(3)} of bare`,
    );
  for (const mode of ['fast', 'reference']) {
    const own = of(`vlmo index, ${mode}`);
    // Decoding and inference share the cores: one second holds so much of both and no more.
    const floor = 1 / (1 / bare + 1 / of(`decode alone, ${mode}`));
    const peers = [...rates].filter(([name]) => name === 'naive' || name.startsWith('transformers'));
    console.log(
      `\nvlmo index, ${mode}: ${(own / bare).toFixed(3)} of bare, ${(own / floor).toFixed(3)} of decode and inference on the same cores`,
    );
    for (const [name, rate] of peers) console.log(`  ${(own / rate).toFixed(2)} times ${name}`);
  }
}
