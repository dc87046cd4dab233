import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { VlmoError } from '#errors.ts';
import { type GraphInfo, type GraphTensor, readGraph } from '#onnx/read-graph.ts';
import type { HubFamily } from './config.ts';
import { DTYPES, type GraphDtype, type HubPlace } from './place.ts';

export type TowerKind = 'image' | 'text';

/** One side of a dual encoder, as its graph says. */
export interface Tower {
  readonly kind: TowerKind;
  /** The graph, and the files that its weights lie in. */
  readonly file: string;
  readonly files: readonly string[];
  readonly dtype: GraphDtype;
  /** What takes pictures or token ids. */
  readonly input: GraphTensor;
  /** What else the graph takes. */
  readonly others: readonly GraphTensor[];
  readonly output: GraphTensor;
  /** Whether values depend on those that are computed with them: 8-bit scales of a whole batch. */
  readonly isAlone: boolean;
  readonly parameters: number;
}

const NAMES = { image: 'vision_model', text: 'text_model' } as const;
const INPUTS = { image: 'pixel_values', text: 'input_ids' } as const;
/** Vectors by the names of outputs. CLIP's `pooler_output` is not yet what texts and pictures share. */
const OUTPUTS = {
  clip: { image: ['image_embeds'], text: ['text_embeds'] },
  siglip: { image: ['pooler_output', 'image_embeds'], text: ['pooler_output', 'text_embeds'] },
} as const satisfies Record<HubFamily, Record<TowerKind, readonly string[]>>;
/** What a graph may take beside pictures and ids. */
const KNOWN_INPUTS = ['pixel_values', 'input_ids', 'attention_mask', 'position_ids', 'token_type_ids'];

/** The graph that makes vectors of pictures or of texts; undefined where the folder has none. Throws MODEL_INVALID. */
export function openTower(place: HubPlace, family: HubFamily, kind: TowerKind): Tower | undefined {
  const found = findGraph(place, NAMES[kind]) ?? findGraph(place, 'model');
  if (!found) return undefined;
  const graph = readGraph(found.file);
  const invalid = (expected: string, received: readonly string[]): VlmoError =>
    new VlmoError(
      'MODEL_INVALID',
      `Cannot use graph "${found.file}": expected ${expected}, received ${received.join(', ') || 'none'}`,
    );
  const names = graph.inputs.map(({ name }) => name);
  const input = graph.inputs.find(({ name }) => name === INPUTS[kind]);
  if (!input) throw invalid(`an input "${INPUTS[kind]}"`, names);
  const unknown = names.filter((name) => !KNOWN_INPUTS.includes(name));
  if (unknown.length > 0) throw invalid(`no inputs beside ${KNOWN_INPUTS.join(', ')}`, unknown);
  const output = outputOf(graph, OUTPUTS[family][kind]);
  if (!output) {
    const outputs = graph.outputs.map(({ name }) => name);
    throw invalid(`an output "${OUTPUTS[family][kind].join('" or "')}"`, outputs);
  }
  return {
    ...{ kind, file: found.file, dtype: found.dtype, input, output },
    files: [found.file, ...graph.externalFiles.map((name) => join(dirname(found.file), name))].map((file) =>
      insideOf(place.folder, file),
    ),
    others: graph.inputs.filter((other) => other !== input),
    isAlone: [...graph.operators].some((name) => name.startsWith('DynamicQuantize')),
    parameters: graph.parameters,
  };
}

function outputOf({ outputs }: GraphInfo, names: readonly string[]): GraphTensor | undefined {
  return names.flatMap((wanted) => outputs.filter(({ name }) => name === wanted))[0];
}

function findGraph(
  { folder, dtype }: HubPlace,
  name: string,
): { readonly file: string; readonly dtype: GraphDtype } | undefined {
  const dtypes = dtype ? [dtype] : (Object.keys(DTYPES) as GraphDtype[]);
  for (const one of dtypes) {
    const file = join(folder, 'onnx', `${name}${DTYPES[one]}.onnx`);
    if (existsSync(file)) return { file: insideOf(folder, file), dtype: one };
  }
  return undefined;
}

/**
 * A file of a model folder. In the Hub's cache files are links into the `blobs` of their repository; any other link that
 * leads out of the folder is refused. Throws MODEL_INVALID.
 */
function insideOf(folder: string, file: string): string {
  if (!existsSync(file))
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot open model "${folder}": expected "${file}", which its graph names, received none`,
    );
  const real = realpathSync(file);
  const home = realpathSync(folder);
  const blobs = join(dirname(dirname(home)), 'blobs');
  const isHub = basename(dirname(home)) === 'snapshots' && real.startsWith(`${blobs}${sep}`);
  if (real.startsWith(`${home}${sep}`) || isHub) return file;
  throw new VlmoError(
    'MODEL_INVALID',
    `Cannot open model "${folder}": expected its files inside of it, received "${file}", a link to "${real}"`,
  );
}
