import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openIndex } from '#service/open-index.ts';
import { listPictures, makeJpegs } from './pictures.ts';
import { median } from './report.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DEMO = join(ROOT, 'models/demo');

/** What a search cannot do without. */
const TEN_LINES = `
import { connect } from '@lancedb/lancedb';
import 'onnxruntime-node';
import { loadVlmo } from '#model/vlmo/vlmo.ts';

const connection = await connect(process.argv[2]);
const vlmo = await loadVlmo(process.argv[3]);
const { data } = await vlmo.embedTexts(['red']);
console.log(data.length, (await connection.tableNames()).length);
`;

/**
 * What a lone `vlmo search` costs beside ten lines that import LanceDB and onnxruntime, open the model and embed one text; and
 * what says or refuses something beside an empty program. In a clone, of which Node strips the types. They take turns; medians.
 */
export async function startup(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { rounds: { type: 'string', default: '7' } } });
  const folder = await mkdtemp(join(tmpdir(), 'vlmo-bench-startup-'));
  // Beside the code, where `#model` means something.
  const [ten, empty] = [join(ROOT, 'bench/ten-lines.tmp.ts'), join(folder, 'empty.ts')];
  try {
    await writeFile(ten, TEN_LINES);
    await writeFile(empty, '');
    const index = join(folder, 'index');
    await fill(index);
    const bin = join(ROOT, 'bin/vlmo.js');
    const programs: Readonly<Record<string, readonly string[]>> = {
      'ten lines': [ten, join(index, 'lance'), DEMO],
      'vlmo search': [bin, 'search', 'red', '--index', index, '--device', 'cpu'],
      'empty program': [empty],
      'vlmo --version': [bin, '--version'],
      'vlmo --help': [bin, '--help'],
      'vlmo --nope': [bin, '--nope'],
    };
    const spent = new Map<string, { cpu: number[]; wall: number[] }>();
    for (let round = 0; round < Number(values.rounds); round++)
      for (const [name, program] of Object.entries(programs)) {
        const { cpu, wall } = run(program);
        const known = spent.get(name) ?? { cpu: [], wall: [] };
        spent.set(name, { cpu: [...known.cpu, cpu], wall: [...known.wall, wall] });
      }
    console.log('program          CPU ms  ratio  wall ms  ratio');
    for (const name of Object.keys(programs)) {
      const beside = name === 'vlmo search' || name === 'ten lines' ? 'ten lines' : 'empty program';
      const of = (what: 'cpu' | 'wall', program: string): number => median(spent.get(program)?.[what] ?? []);
      const columns = (['cpu', 'wall'] as const).map(
        (what) =>
          `${of(what, name).toFixed(0).padStart(6)}  ${(of(what, name) / of(what, beside)).toFixed(2)}`,
      );
      console.log(`${name.padEnd(16)} ${columns.join('   ')}`);
    }
  } finally {
    await rm(ten, { force: true });
    await rm(folder, { recursive: true, force: true });
  }
}

async function fill(folder: string): Promise<void> {
  await using index = await openIndex(folder, { create: true, model: DEMO, device: 'cpu' });
  const [first = ''] = await listPictures(await makeJpegs(20, 320, 240));
  await index.index(join(first, '..'));
}

/** Milliseconds of user and system together, as the shell's `time` has them, and of the clock. */
function run(program: readonly string[]): { readonly cpu: number; readonly wall: number } {
  const script = 'TIMEFORMAT="%U %S %R"; time "$@" >/dev/null 2>/dev/null';
  const { stderr, status } = spawnSync('bash', ['-c', script, 'bash', process.execPath, ...program], {
    encoding: 'utf8',
  });
  if (status !== 0 && !program.includes('--nope'))
    throw new Error(`Cannot run ${program.join(' ')}: it ended with ${status}`);
  const [user = 0, system = 0, real = 0] = stderr.trim().split(' ').map(Number);
  return { cpu: 1000 * (user + system), wall: 1000 * real };
}
