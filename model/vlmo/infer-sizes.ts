import { VlmoError } from '#errors.ts';
import { gridOfTable, TEXT_REACH } from './relative-position.ts';
import { findParts, type Sizes, tensorShapes, type VlmoParts } from './shapes.ts';
import { findVariant } from './variants.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;

export interface InferredModel {
  readonly variant: string;
  readonly sizes: Sizes;
  readonly parts: VlmoParts;
}

/**
 * Everything about a VLMo that the shapes of its tensors tell; only the heads of a model without a relative table
 * must be known or given. Throws CHECKPOINT_INVALID naming what is missing or of the wrong shape.
 */
export function inferModel(path: string, shapes: Shapes, givenHeads?: number): InferredModel {
  const shape = (name: string, rank: number): readonly number[] => {
    const found = shapes.get(name);
    if (found?.length === rank) return found;
    throw invalid(
      path,
      `tensor "${name}" of ${rank} dimensions`,
      found ? `[${found.join(', ')}]` : 'a checkpoint without it',
    );
  };
  const [width = 0, channels = 0, patchHeight = 0, patchWidth = 0] = shape(
    'transformer.patch_embed.proj.weight',
    4,
  );
  const layers = countLayers(path, shapes);
  const blocksWithVl = [...Array(layers).keys()].filter((i) =>
    shapes.has(`transformer.blocks.${i}.mlp_vl.fc1.weight`),
  );
  const parts = findParts((name) => shapes.has(name));
  const variant = findVariant({ hidden_size: width, num_hidden_layers: layers });
  const [gridHeight, gridWidth] = findGrid(path, shapes);
  const sizes: Sizes = {
    image_size: [gridHeight * patchHeight, gridWidth * patchWidth],
    patch_size: [patchHeight, patchWidth],
    num_channels: channels,
    hidden_size: width,
    intermediate_size: shape('transformer.blocks.0.mlp_imag.fc1.weight', 2)[0] ?? 0,
    num_hidden_layers: layers,
    num_attention_heads: findHeads(path, shapes, { width, layers, known: variant?.heads, given: givenHeads }),
    vlffn_start: blocksWithVl[0] ?? layers,
    vocab_size: shape('text_embeddings.word_embeddings.weight', 2)[0] ?? 0,
    max_text_length: findTextLength(path, shapes),
  };
  checkShapes(path, shapes, tensorShapes(sizes, parts));
  return { variant: variant?.name ?? 'custom', sizes, parts };
}

/** The published models' longest text; what a checkpoint without position embeddings is taken to have. */
const DEFAULT_TEXT_LENGTH = 40;

function findTextLength(path: string, shapes: Shapes): number {
  const name = 'text_embeddings.position_embeddings.weight';
  const shape = shapes.get(name) ?? [DEFAULT_TEXT_LENGTH, 0];
  const [longest = 0] = shape;
  if (shape.length !== 2 || longest < 2) {
    throw invalid(path, `tensor "${name}" of [2 or more, width]`, `[${shape.join(', ')}]`);
  }
  // A relative table knows no greater distances.
  return shapes.has('relative_position_bias_table') ? Math.min(longest, TEXT_REACH) : longest;
}

function countLayers(path: string, shapes: Shapes): number {
  const indexes = [...shapes.keys()].map((name) =>
    Number(/^transformer\.blocks\.(\d+)\./.exec(name)?.[1] ?? -1),
  );
  const layers = indexes.reduce((most, index) => Math.max(most, index), -1) + 1;
  if (layers > 0 && layers <= 1000) return layers;
  throw invalid(path, 'tensors named "transformer.blocks.0.…" (a VLMo)', describe(shapes));
}

function findGrid(path: string, shapes: Shapes): readonly [number, number] {
  const tokens = shapes.get('transformer.pos_embed')?.[1];
  if (tokens !== undefined) {
    const side = Math.sqrt(tokens - 1);
    if (Number.isInteger(side) && side > 0) return [side, side];
    throw invalid(path, 'a "transformer.pos_embed" of one [CLS] and a square grid', `${tokens} positions`);
  }
  const rows = shapes.get('relative_position_bias_table')?.[0];
  const grid = rows === undefined ? undefined : gridOfTable(rows);
  if (grid) return grid;
  if (rows === undefined) {
    throw invalid(
      path,
      '"transformer.pos_embed" or "relative_position_bias_table"',
      'a checkpoint without either',
    );
  }
  throw invalid(
    path,
    'a "relative_position_bias_table" of (2 g - 1)² + 3 + 2 + 392 rows for a grid of g x g',
    `${rows} rows`,
  );
}

interface HeadClues {
  readonly width: number;
  readonly layers: number;
  readonly known: number | undefined;
  readonly given: number | undefined;
}

function findHeads(path: string, shapes: Shapes, { width, layers, known, given }: HeadClues): number {
  const columns = shapes.get('relative_position_bias_table')?.[1];
  const read = columns === undefined ? undefined : columns / layers;
  if (read !== undefined && given !== undefined && given !== read) {
    throw invalid(path, `--heads ${read}, which its relative position table has`, `--heads ${given}`);
  }
  const heads = read ?? given ?? known;
  if (heads === undefined) {
    throw invalid(
      path,
      'the number of attention heads as --heads N, which is not written in this checkpoint',
      'none',
    );
  }
  if (Number.isInteger(heads) && heads > 0 && width % heads === 0) return heads;
  throw invalid(path, `a number of heads that divides the width ${width}`, String(heads));
}

function checkShapes(path: string, actual: Shapes, expected: Shapes): void {
  const missing = [...expected.keys()].filter((name) => !actual.has(name));
  if (missing.length > 0) throw invalid(path, `tensors ${list(missing)}`, 'a checkpoint without them');
  for (const [name, shape] of expected) {
    const found = actual.get(name) ?? [];
    if (found.join() === shape.join() && !shape.includes(0)) continue;
    throw invalid(path, `tensor "${name}" of shape [${shape.join(', ')}]`, `[${found.join(', ')}]`);
  }
}

function describe(shapes: Shapes): string {
  return `${shapes.size} tensors such as ${list([...shapes.keys()])}`;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => `"${name}"`);
  return names.length > shown.length
    ? `${shown.join(', ')} and ${names.length - shown.length} more`
    : shown.join(', ');
}

function invalid(path: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'CHECKPOINT_INVALID',
    `Cannot import checkpoint "${path}": expected ${expected}, received ${received}`,
  );
}
