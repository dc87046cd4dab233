import { Command, Option } from 'commander';
import { type ModelFolder, openModelFolder } from '#model/vlmo/folder.ts';
import { importCheckpoint } from '#model/vlmo/import.ts';
import { formatCount, note, print, printJson, table } from './output.ts';
import { positiveInteger } from './parse-arguments.ts';
import { resolveModel } from './resolve-model.ts';

interface ImportFlags {
  readonly vocab: string;
  readonly out: string;
  readonly imageSize?: number;
  readonly heads?: number;
  readonly dtype: 'f32' | 'f16';
  readonly json?: true;
}

/** `vlmo model import|inspect`. */
export function modelCommand(): Command {
  const command = new Command('model').description('Import and look at models');
  command
    .command('import')
    .description('Turn a PyTorch checkpoint of VLMo into a model folder')
    .argument('<checkpoint>', 'the .pt file; it is read without running anything in it')
    .requiredOption('--vocab <file>', "BERT's vocab.txt")
    .requiredOption('--out <folder>', 'the model folder to write; must not exist')
    .option('--image-size <pixels>', 'another picture size than the checkpoint was made for', positiveInteger)
    .option('--heads <heads>', 'attention heads, where the checkpoint does not tell', positiveInteger)
    .addOption(new Option('--dtype <dtype>', 'how weights are stored').choices(['f32', 'f16']).default('f32'))
    .option('--json', 'print JSON')
    .action(importModel);
  command
    .command('inspect')
    .description('Print what a model is')
    .argument('<folder>', 'a model folder, or "demo"')
    .option('--json', 'print JSON')
    .action(async (folder: string, { json }: { json?: true }) =>
      printModel(await openModelFolder(resolveModel(folder)), json),
    );
  return command;
}

async function importModel(checkpoint: string, flags: ImportFlags): Promise<void> {
  const { model, ignored } = await importCheckpoint(checkpoint, {
    vocabulary: flags.vocab,
    out: flags.out,
    imageSize: flags.imageSize,
    heads: flags.heads,
    dtype: flags.dtype,
  });
  if (ignored.length > 0)
    note(`Left out ${ignored.length} tensors that retrieval does not need: ${ignored.join(', ')}`);
  printModel(model, flags.json);
}

function printModel(model: ModelFolder, json?: true): void {
  const description = describe(model);
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
