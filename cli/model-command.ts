import { resolve } from 'node:path';
import type { CommandConfig } from '#config/commands.ts';
import { VlmoError } from '#errors.ts';
import { importBeit3 } from '#model/beit3/import.ts';
import { isBeit3 } from '#model/beit3/shapes.ts';
import { openCheckpoint } from '#model/checkpoint/open-checkpoint.ts';
import type { Model } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import { type ModelFolder, openModelFolder } from '#model/vlmo/folder.ts';
import { importCheckpoint } from '#model/vlmo/import.ts';
import { pictureSize } from '#pictures/picture-spec.ts';
import { openIndex } from '#service/open-index.ts';
import { formatCount, note, print, printJson, table } from './output.ts';

/** `vlmo model import`: a checkpoint becomes a model folder, of the family that its tensors tell. */
export async function runImport(
  { vocab, spm, out, imageSize, heads, dtype, json }: CommandConfig<'model import'>,
  [checkpoint]: readonly [string],
): Promise<void> {
  if (await isOfBeit3(checkpoint)) {
    if (imageSize !== undefined)
      throw invalidInput(checkpoint, 'no --image-size, since a BEiT-3 keeps its own', `${imageSize}`);
    const pieces = required(checkpoint, 'a BEiT-3', '--spm', spm);
    const { model, ignored } = await importBeit3(checkpoint, { spm: pieces, out, heads, dtype });
    noteIgnored(ignored);
    const { config, name, path } = model;
    printDescription({ name, path, ...config }, json);
    return;
  }
  const vocabulary = required(checkpoint, 'a VLMo', '--vocab', vocab);
  const options = { vocabulary, out, imageSize, heads, dtype };
  const { model, ignored } = await importCheckpoint(checkpoint, options);
  noteIgnored(ignored);
  printDescription(describe(model), json);
}

/** By the names of its tensors; those of any other are VLMo's to refuse. */
async function isOfBeit3(checkpoint: string): Promise<boolean> {
  await using opened = await openCheckpoint(resolve(checkpoint));
  return isBeit3(opened.tensors.keys());
}

function noteIgnored(ignored: readonly string[]): void {
  if (ignored.length > 0)
    note(`Left out ${ignored.length} tensors that retrieval does not need: ${ignored.join(', ')}`);
}

function required(checkpoint: string, what: string, flag: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw invalidInput(checkpoint, `${flag} FILE, since its tensors are those of ${what}`, 'none');
}

function invalidInput(checkpoint: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'MODEL_INPUT_INVALID',
    `Cannot import checkpoint "${checkpoint}": expected ${expected}, received ${received}`,
  );
}

/** `vlmo model inspect`: what a model is. */
export async function runInspect(
  { json }: CommandConfig<'model inspect'>,
  [folder]: readonly [string],
): Promise<void> {
  const model = await openModel(folder);
  const isVlmo = model.family === 'vlmo';
  printDescription(isVlmo ? describe(await openModelFolder(model.path)) : describeModel(model), json);
}

/** What is known of a model of any family. */
function describeModel(model: Model): Record<string, unknown> {
  const { name, path, family, dimensions, maxTokens, embeds, canMatch } = model;
  const [height, width] = pictureSize(model.picture);
  return {
    ...{ name, path, family, dimensions, image_size: `${height} x ${width}`, max_text_length: maxTokens },
    ...{ embeds: embeds.join(', '), matches: canMatch },
  };
}

/** `vlmo model relocate`: where the model of an index lies now. */
export async function runRelocate(
  { index: folder, json }: CommandConfig<'model relocate'>,
  [model]: readonly [string],
): Promise<void> {
  await using index = await openIndex(folder, { write: true, note });
  const moved = await index.relocateModel(model);
  for (const { name, collection, modelPath } of moved) {
    if (json) printJson({ generation: name, collection, model: modelPath });
    else print(`The model of collection "${collection}" lies in ${modelPath} now.`);
  }
}

function printDescription(description: Readonly<Record<string, unknown>>, json: boolean): void {
  if (json) printJson(description);
  else
    print(
      table(
        Object.entries(description).map(([name, value]) => [
          name,
          typeof value === 'number' ? formatCount(value) : String(value),
        ]),
      ),
    );
}

function describe({ name, path, config, weights, heads }: ModelFolder): Record<string, unknown> {
  const tensors = [...weights.tensors.values()];
  const has = (tensor: string): boolean => weights.tensors.has(tensor);
  return {
    name,
    path,
    variant: config.variant,
    parameters: tensors.reduce(
      (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
      0,
    ),
    image_size: config.image_size.join(' x '),
    patch_size: config.patch_size.join(' x '),
    num_channels: config.num_channels,
    hidden_size: config.hidden_size,
    intermediate_size: config.intermediate_size,
    num_hidden_layers: config.num_hidden_layers,
    num_attention_heads: config.num_attention_heads,
    vlffn_start: config.vlffn_start,
    vocab_size: config.vocab_size,
    max_text_length: config.max_text_length,
    positions: has('relative_position_bias_table') ? 'relative' : 'absolute',
    layer_scale: has('transformer.blocks.0.gamma_1'),
    heads:
      Object.entries(heads)
        .filter(([, present]) => present)
        .map(([head]) => head)
        .join(', ') || 'none',
    dtype: config.dtype,
    weights_bytes: tensors.reduce((sum, { length }) => sum + length, 0),
    weights_sha256: config.weights_sha256,
  };
}
