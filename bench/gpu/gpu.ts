import { parseArgs } from 'node:util';
import { check } from './check.ts';
import { precision } from './precision.ts';
import { speed } from './speed.ts';

const HELP = `npm run bench -- gpu [options]

  --check               conformance: ids, order and scores equal to a brute force in float64
    --device LIST       cpu,webgpu,cuda; what does not work is said and left out (cpu)
    --parts LIST        dims,rows,special,filters,commits,borders,million (all)
    --out FILE          JSON, written after each part
  --doubt               share of rows that 8 bits leave in doubt; needs the development packages
  --stored ROWS         a real index: loaded beside a scan alone, all its captions answered; needs LanceDB
    --captions N        100000
  --half                what 16 bits change: vectors, hits, recall and match on the demo's scenes
    --device NAME       auto, cpu, webgpu or cuda (auto)
    --model NAME        demo, base (random weights) or a folder (demo)
    --scenes FILE       their pixels; drawn into it where it is not there, with the development packages
  without --check       speed of exact search and of the model, beside the CPU and PyTorch where python3 has it
    --device NAME       auto, cpu, webgpu or cuda (auto)
    --rows LIST         100000,1000000; 0 for none
    --dimensions N      768
    --model NAME        base, none, or a folder (base)
    --batches LIST      1,8,32
    --precision NAME    of the model: auto, f32 or f16 (auto)

On a machine with a GPU, some 90 s a device:
  node bench/run.ts gpu --check --device cpu,webgpu,cuda --out check.json
  node bench/run.ts gpu --device cuda --rows 1000000,10000000 --model none
  node bench/run.ts gpu --device webgpu --rows 1000000 --model none
  node bench/run.ts gpu --device cpu --rows 1000000 --model none            all cores
  taskset -c 0,1 node bench/run.ts gpu --device cpu --rows 100000 --model none`;

/** A GPU beside the CPU of the same machine. Needs neither Redis nor LanceDB, and production packages only. */
export async function gpu(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      doubt: { type: 'boolean', default: false },
      half: { type: 'boolean', default: false },
      precision: { type: 'string', default: 'auto' },
      scenes: { type: 'string' },
      stored: { type: 'string' },
      captions: { type: 'string', default: '100000' },
      parts: { type: 'string' },
      out: { type: 'string' },
      device: { type: 'string' },
      rows: { type: 'string', default: '100000,1000000' },
      dimensions: { type: 'string', default: '768' },
      model: { type: 'string', default: 'base' },
      batches: { type: 'string', default: '1,8,32' },
    },
  });
  const { device, parts, out } = values;
  if (values.help) console.log(HELP);
  else if (values.half) {
    const model = args.includes('--model') ? values.model : 'demo';
    await precision({ device: device ?? 'auto', model, scenes: values.scenes });
  } else if (values.check) await check({ devices: listed(device ?? 'cpu'), parts: listed(parts), out });
  // Loaded alone: it draws what the demo draws, with packages that a GPU machine may not have.
  else if (values.doubt) await (await import('./doubt.ts')).doubt();
  // Loaded alone: it opens a store.
  else if (values.stored !== undefined)
    await (await import('./stored.ts')).stored({
      ...values,
      stored: values.stored,
      device: device ?? 'auto',
    });
  else await speed({ ...values, device: device ?? 'auto', precision: precisionOf(values.precision) });
}

function listed(text: string | undefined): string[] {
  return (text ?? '').split(',').filter((word) => word !== '');
}

function precisionOf(name: string): 'auto' | 'f32' | 'f16' {
  if (name === 'auto' || name === 'f32' || name === 'f16') return name;
  throw new Error(`Cannot measure: expected --precision auto, f32 or f16, received "${name}"`);
}
