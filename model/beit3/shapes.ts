import { VlmoError } from '#errors.ts';
import type { Beit3Sizes } from './config.ts';

type Shapes = readonly (readonly [name: string, shape: readonly number[]])[];
type ShapesByName = ReadonlyMap<string, readonly number[]>;

/** A picture goes through the weights A of a layer, a text through B. */
export type Tower = 'A' | 'B';

const LAYER = /^beit3\.encoder\.layers\.(\d+)\./;
/** What the published models read of a text, `<s>` and `</s>` included. */
const MAX_TEXT_LENGTH = 64;
/** Of the published models. */
const HEAD_WIDTH = 64;
const MAX_LAYERS = 1000;

export const HEADS = { A: 'vision_head', B: 'language_head' } as const;

/** Whether these are the tensors of a BEiT-3, whatever it was trained for. */
export function isBeit3(names: Iterable<string>): boolean {
  return [...names].some((name) => name.startsWith('beit3.'));
}

/** Shapes of all tensors that retrieval reads. */
export function tensorShapes(sizes: Beit3Sizes): ShapesByName {
  const { hidden_size: d, patch_size: p, num_channels: c } = sizes;
  return new Map<string, readonly number[]>([
    ['beit3.vision_embed.cls_token', [1, 1, d]],
    ['beit3.vision_embed.proj.weight', [d, c, p, p]],
    ['beit3.vision_embed.proj.bias', [d]],
    ['beit3.text_embed.weight', [sizes.vocab_size, d]],
    ['beit3.encoder.embed_positions.A.weight', [sizes.image_positions, d]],
    ['beit3.encoder.embed_positions.B.weight', [sizes.text_positions, d]],
    ...(['A', 'B'] as const).flatMap((tower) => [
      ...Array.from({ length: sizes.num_hidden_layers }, (_, i) => layerShapes(sizes, i, tower)).flat(),
      ...norm(`beit3.encoder.layer_norm.${tower}`, d),
      [`${HEADS[tower]}.weight`, [d, d]] as const,
    ]),
    ['logit_scale', []],
  ]);
}

function layerShapes({ hidden_size: d, intermediate_size: f }: Beit3Sizes, i: number, tower: Tower): Shapes {
  const name = `beit3.encoder.layers.${i}`;
  return [
    ...norm(`${name}.self_attn_layer_norm.${tower}`, d),
    ...['q_proj', 'k_proj', 'v_proj', 'out_proj'].flatMap((part) =>
      linear(`${name}.self_attn.${part}.${tower}`, d, d),
    ),
    ...norm(`${name}.self_attn.inner_attn_ln.${tower}`, d),
    ...norm(`${name}.final_layer_norm.${tower}`, d),
    ...linear(`${name}.ffn.${tower}.fc1`, f, d),
    ...norm(`${name}.ffn.${tower}.ffn_layernorm`, f),
    ...linear(`${name}.ffn.${tower}.fc2`, d, f),
  ];
}

function linear(name: string, outputs: number, inputs: number): Shapes {
  return [
    [`${name}.weight`, [outputs, inputs]],
    [`${name}.bias`, [outputs]],
  ];
}

function norm(name: string, width: number): Shapes {
  return [
    [`${name}.weight`, [width]],
    [`${name}.bias`, [width]],
  ];
}

/**
 * What the shapes of a checkpoint's tensors tell; a head is 64 wide where nothing is given. Throws CHECKPOINT_INVALID naming
 * what is missing or of the wrong shape.
 */
export function inferSizes(path: string, shapes: ShapesByName, givenHeads?: number): Beit3Sizes {
  requireHeads(path, shapes);
  const shape = (name: string, rank: number): readonly number[] => {
    const found = shapes.get(name);
    if (found?.length === rank && found.every((size) => size > 0)) return found;
    throw invalid(path, `tensor "${name}" of ${rank} dimensions`, shown(found));
  };
  const [width = 0, channels = 0, patch = 0] = shape('beit3.vision_embed.proj.weight', 4);
  const [imagePositions = 0] = shape('beit3.encoder.embed_positions.A.weight', 2);
  const [textPositions = 0] = shape('beit3.encoder.embed_positions.B.weight', 2);
  const side = Math.sqrt(imagePositions - 3);
  if (!Number.isInteger(side) || side < 1)
    throw invalid(
      path,
      'a "beit3.encoder.embed_positions.A.weight" of 3 rows and a square grid',
      `${imagePositions} rows`,
    );
  if (textPositions < 4)
    throw invalid(
      path,
      'a "beit3.encoder.embed_positions.B.weight" of 4 rows at least',
      `${textPositions} rows`,
    );
  const sizes: Beit3Sizes = {
    ...{ image_size: side * patch, patch_size: patch, num_channels: channels, hidden_size: width },
    intermediate_size: shape('beit3.encoder.layers.0.ffn.A.fc1.weight', 2)[0] ?? 0,
    num_hidden_layers: countLayers(path, shapes),
    num_attention_heads: findHeads(path, width, givenHeads),
    vocab_size: shape('beit3.text_embed.weight', 2)[0] ?? 0,
    ...{ image_positions: imagePositions, text_positions: textPositions },
    max_text_length: Math.min(MAX_TEXT_LENGTH, textPositions - 2),
  };
  for (const [name, expected] of tensorShapes(sizes)) {
    const found = shapes.get(name);
    if (found?.join() === expected.join()) continue;
    throw invalid(path, `tensor "${name}" of shape [${expected.join(', ')}]`, shown(found));
  }
  return sizes;
}

/** Pre-trained ones, and those for questions or classes, have no vectors to search by. */
function requireHeads(path: string, shapes: ShapesByName): void {
  const missing = Object.values(HEADS).filter((name) => !shapes.has(`${name}.weight`));
  if (missing.length === 0) return;
  throw invalid(
    path,
    'a BEiT-3 that was trained for retrieval, such as beit3_base_patch16_384_coco_retrieval.pth or beit3_base_itc_patch16_224.pth',
    `one without tensors ${missing.map((name) => `"${name}.weight"`).join(', ')}`,
  );
}

function countLayers(path: string, shapes: ShapesByName): number {
  const numbers = [...shapes.keys()].map((name) => Number(LAYER.exec(name)?.[1] ?? -1));
  const layers = numbers.reduce((most, number) => Math.max(most, number), -1) + 1;
  if (layers <= MAX_LAYERS) return layers;
  throw invalid(path, `${MAX_LAYERS} layers at most`, `"beit3.encoder.layers.${layers - 1}"`);
}

function findHeads(path: string, width: number, given: number | undefined): number {
  const heads = given ?? width / HEAD_WIDTH;
  if (Number.isInteger(heads) && heads > 0 && width % heads === 0) return heads;
  throw invalid(
    path,
    `the number of attention heads as --heads N, which divides the width ${width}`,
    given === undefined ? `none, and no heads of ${HEAD_WIDTH}` : `${given}`,
  );
}

function shown(shape: readonly number[] | undefined): string {
  return shape ? `[${shape.join(', ')}]` : 'a checkpoint without it';
}

function invalid(path: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'CHECKPOINT_INVALID',
    `Cannot import checkpoint "${path}": expected ${expected}, received ${received}`,
  );
}
