/** Which folder may import which, beside itself and what everyone may. A file stands for itself alone. */
export const ARROWS: Readonly<Record<string, readonly string[]>> = {
  cli: [
    'server',
    'evaluate',
    'doctor',
    'engine',
    'service',
    'runs',
    'pipeline',
    'exports',
    'search',
    'scorer',
    'sources',
    'queue',
    'store',
    'store/lance',
    'model',
    'pictures',
    'devices',
    'config',
    'workers/threads',
    'workers/decode',
    'workers/jobs',
  ],
  // What tries out a machine and looks an index through.
  doctor: ['service', 'devices', 'pictures', 'queue', 'store', 'store/lance', 'config'],
  // The page, which speaks HTTP.
  web: [],
  server: ['engine', 'service', 'runs', 'queue', 'search', 'pictures', 'download', 'config'],
  // The process that takes the jobs.
  'workers/jobs': [
    'engine',
    'runs',
    'pipeline/index-chunk.ts',
    'queue',
    'sources/item.ts',
    'store',
    'config',
  ],
  // The process that does what jobs ask for.
  engine: ['service', 'devices', 'queue', 'pipeline', 'search', 'sources', 'store', 'config'],
  service: [
    'queue',
    'devices',
    'pictures',
    'pipeline',
    'search',
    'scorer',
    'workers/threads',
    'workers/decode',
    'model',
    // It makes the one client of an opened index.
    'download',
    'store',
    'store/lance',
    'sources',
    'runs',
    'exports',
    'evaluate',
    'config',
  ],
  // Retrieval measured over what is stored.
  evaluate: ['search', 'scorer', 'model', 'store'],
  // Layouts of other programs, written from the store.
  exports: ['store', 'search/request.ts', 'config'],
  runs: ['pipeline', 'queue', 'store', 'sources', 'config'],
  pipeline: ['sources', 'download', 'workers/threads', 'workers/decode', 'store', 'config'],
  search: ['scorer', 'store', 'model', 'pictures', 'config'],
  scorer: ['onnx', 'devices', 'store', 'config'],
  // What runs in threads, and the pools that hand it out.
  'workers/threads': ['workers/decode', 'model', 'pictures', 'devices', 'config'],
  // Processes that decode pictures, and the pool that hands pictures out to them.
  'workers/decode': ['pictures', 'config'],
  sources: ['pictures', 'download', 'config'],
  model: ['onnx', 'devices', 'pictures', 'config'],
  devices: ['onnx', 'config'],
  onnx: [],
  pictures: ['config'],
  // The one HTTP client.
  download: ['config'],
  queue: ['config', 'search/request.ts'],
  store: ['config'],
  // LanceDB behind the contract: named only by whoever opens a store.
  'store/lance': ['store', 'config'],
  config: [],
};
const PRODUCT = Object.keys(ARROWS);
/** Files of the root that everyone may import; of ours they import each other only. */
export const FOUNDATIONS = [
  'errors.ts',
  'float16.ts',
  'batches.ts',
  'isolate-failures.ts',
  'scratch-folder.ts',
  'host-process.ts',
  'machine-error.ts',
  'well-formed.ts',
  'lock-file.ts',
  'uri.ts',
  'until-aborted.ts',
  'parquet.ts',
  'package.json',
];
/** Programs and tests: nobody imports them, but for tests, and benchmarks that draw what the demo draws. */
const OUTSIDE = ['cli', 'test', 'bench', 'demo', 'scripts', 'training'];
const OUTSIDE_ARROWS: Readonly<Record<string, readonly string[]>> = {
  test: ['cli', 'bench', 'demo', 'scripts', 'training'],
  bench: ['demo'],
  // The help that the package carries is the program's own.
  scripts: ['cli'],
};
const NO_NAMES = ['utils', 'helpers', 'types', 'common', 'classes', 'lib', 'misc'];

/** The files of a project by their paths, and their text. */
export type Tree = ReadonlyMap<string, string>;

export interface Import {
  readonly specifier: string;
  readonly isDynamic: boolean;
}

/** Everything that a file imports, in its own words. */
export function importsOf(text: string): Import[] {
  const found = (pattern: RegExp, isDynamic: boolean): Import[] =>
    [...text.matchAll(pattern)].map(([, specifier = '']) => ({ specifier, isDynamic }));
  return [
    ...found(/^(?:import|export)\b[^;'"]*?\bfrom\s*['"]([^'"]+)['"]/gm, false),
    ...found(/^import\s*['"]([^'"]+)['"]/gm, false),
    ...found(/\bimport\(\s*['"]([^'"]+)['"]/g, true),
    ...found(/\bimport\.meta\.resolve\(\s*['"]([^'"]+)['"]/g, true),
  ];
}

/** The file of this project that an import means; undefined for a package. */
export function targetOf(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (!specifier.startsWith('.')) return undefined;
  return new URL(specifier, `file:///${file}`).pathname.slice(1);
}

/** All that breaks a rule, in words. */
export function breaches(tree: Tree): string[] {
  const found = [...tree.keys()].flatMap((file) => {
    const names = file.split('/').filter((name) => NO_NAMES.includes(name));
    return names.map((name) => `${file}: no folder is called "${name}"`);
  });
  const graph = new Map<string, string[]>();
  for (const [file, text] of tree) {
    const targets: string[] = [];
    for (const { specifier, isDynamic } of importsOf(text)) {
      const target = targetOf(file, specifier);
      if (target === undefined) continue;
      const why = breach(file, specifier, target, isDynamic, tree);
      if (why !== undefined) found.push(`${file} imports ${specifier}: ${why}`);
      targets.push(target);
    }
    graph.set(file, targets);
  }
  return [...found, ...cycles(graph)];
}

function breach(
  file: string,
  specifier: string,
  target: string,
  isDynamic: boolean,
  tree: Tree,
): string | undefined {
  const [from, to] = [folderOf(file), folderOf(target)];
  if (!tree.has(target) && !FOUNDATIONS.includes(target) && !target.endsWith('.proto'))
    return 'there is no such file';
  if (/\.(worker|process)\.ts$/.test(target))
    return isDynamic ? undefined : 'the entry of a thread or a process is imported by nobody';
  const isInside = from === to && from !== '';
  if (isInside && PRODUCT.includes(from)) {
    if (file.split('/').length === 2 && specifier.startsWith('#') && !isDynamic)
      return 'in its folder, it is "./"';
    return undefined;
  }
  if (isInside) return undefined;
  if (PRODUCT.includes(from) && specifier.startsWith('.')) return 'another folder is "#"';
  if (FOUNDATIONS.includes(target)) return undefined;
  if (FOUNDATIONS.includes(file)) return 'it is below everything';
  if (OUTSIDE.includes(to)) return OUTSIDE_ARROWS[from]?.includes(to) ? undefined : `nobody imports ${to}`;
  const arrows = ARROWS[from];
  if (arrows === undefined || arrows.includes(to) || arrows.includes(target)) return undefined;
  return `${from} may import ${arrows.join(', ') || 'nothing'}`;
}

/** The folder that has arrows of its own, which may lie in another; else the one at the top. */
function folderOf(file: string): string {
  const [top = '', inner = ''] = file.split('/');
  if (`${top}/${inner}` in ARROWS) return `${top}/${inner}`;
  return file.includes('/') ? top : '';
}

/** Each file that comes back to itself, with its way. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    const at = way.indexOf(file);
    if (at >= 0) found.push(`a circle: ${[...way.slice(at), file].join(' -> ')}`);
    if (at >= 0 || done.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}
