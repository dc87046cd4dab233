import { Command, Option } from 'commander';
import { INDEX_OPTIONS } from '#config/options.ts';
import { resolveDevice } from '#devices/device.ts';
import { type ErrorCode, VlmoError } from '#errors.ts';
import type { Tensor } from '#model/vlmo/inputs.ts';
import type { GraphKind } from '#model/vlmo/network.ts';
import { loadVlmo, type Vlmo } from '#model/vlmo/vlmo.ts';
import { pictureTensor } from '#pictures/picture-tensor.ts';
import { PREPROCESS_MODES, type PreprocessMode } from '#pictures/preprocess.ts';
import { readPicture } from '#pictures/read-picture.ts';
import { addConfigOptions, readConfig } from './config-options.ts';
import { EXIT_DONE, EXIT_ITEMS_FAILED } from './exit-codes.ts';
import { noteDevice } from './note-device.ts';
import { note, printJson } from './output.ts';
import { describeError } from './report-error.ts';
import { resolveModel } from './resolve-model.ts';

interface Input {
  readonly kind: 'image' | 'text';
  readonly source: string;
}

interface EmbedFlags {
  readonly model: string;
  readonly pairs?: true;
  readonly preprocess: PreprocessMode;
}

/** `vlmo embed`: vectors of pictures and texts, one JSON object a line, in the order given. */
export function embedCommand(): Command {
  const inputs: Input[] = [];
  const add =
    (kind: Input['kind']) =>
    (source: string): true => {
      inputs.push({ kind, source });
      return true;
    };
  const command = new Command('embed')
    .description('Print the vectors of pictures and texts, one JSON object a line')
    .requiredOption('--model <folder>', 'a model folder, or "demo"')
    .addOption(new Option('--image <files...>', 'pictures').argParser(add('image')))
    .addOption(new Option('--text <texts...>', 'texts').argParser(add('text')))
    .option(
      '--pairs',
      'score the i-th picture with the i-th text instead: cosine, and match by the fusion encoder',
    )
    .addOption(
      new Option('--preprocess <mode>', INDEX_OPTIONS.preprocess.sentence)
        .choices([...PREPROCESS_MODES])
        .default(INDEX_OPTIONS.preprocess.default),
    )
    .option('--json', 'JSON lines are all there is; accepted so that every command takes it');
  addConfigOptions(command, ['device']);
  return command.action((flags: EmbedFlags) =>
    flags.pairs ? embedPairs(inputs, flags) : embedAll(inputs, flags),
  );
}

async function embedAll(inputs: readonly Input[], flags: EmbedFlags): Promise<void> {
  requireInputs(inputs.length > 0, 'at least one --image or --text', 'none');
  const kinds = (['image', 'text'] as const).filter((kind) => inputs.some((input) => input.kind === kind));
  await using vlmo = await load(flags, kinds);
  await forEach(inputs, async ({ kind, source }) => {
    const { data } =
      kind === 'text'
        ? await vlmo.embedTexts([source])
        : await vlmo.embedImages(await readPixels(vlmo, source, flags.preprocess));
    printJson({ kind, source, embedding: Array.from(data) });
  });
}

async function embedPairs(inputs: readonly Input[], flags: EmbedFlags): Promise<void> {
  const [images, texts] = (['image', 'text'] as const).map((kind) =>
    inputs.filter((input) => input.kind === kind).map(({ source }) => source),
  ) as [string[], string[]];
  requireInputs(
    images.length > 0 && images.length === texts.length,
    'as many --image as --text, at least one',
    `${images.length} and ${texts.length}`,
  );
  await using vlmo = await load(flags, ['fusion', 'image', 'text']);
  await forEach([...images.entries()], async ([i, image]) => {
    const text = texts[i] ?? '';
    const pixels = await readPixels(vlmo, image, flags.preprocess);
    const { probabilities } = await vlmo.match(pixels, [text]);
    const cosine = dot((await vlmo.embedImages(pixels)).data, (await vlmo.embedTexts([text])).data);
    printJson({ image, text, cosine, match: probabilities[0] });
  });
}

/** The model, with what is needed of it, on the device that was asked for. */
async function load(flags: EmbedFlags, graphs: readonly GraphKind[]): Promise<Vlmo> {
  const { device: asked } = await readConfig(['device'], flags);
  const device = await resolveDevice(asked);
  const vlmo = await loadVlmo(resolveModel(flags.model), { provider: device.provider, graphs });
  noteDevice(asked, device);
  return vlmo;
}

/** One after the other; what is wrong with one input does not stop the rest. */
async function forEach<T>(inputs: readonly T[], work: (input: T) => Promise<void>): Promise<void> {
  process.exitCode = EXIT_DONE;
  for (const input of inputs) {
    try {
      await work(input);
    } catch (error) {
      if (!(error instanceof VlmoError) || !ITEM_ERRORS.has(error.code)) throw error;
      note(describeError(error));
      process.exitCode = EXIT_ITEMS_FAILED;
    }
  }
}

const ITEM_ERRORS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ITEM_NOT_FOUND',
  'ITEM_UNREADABLE',
  'URL_UNSUPPORTED',
  'IMAGE_INVALID',
  'IMAGE_TOO_LARGE',
]);

function readPixels({ config }: Vlmo, path: string, mode: PreprocessMode): Promise<Tensor> {
  const bytes = readPicture(path, INDEX_OPTIONS.maxImageBytes.default);
  return pictureTensor(bytes, config, mode, { maxPixels: INDEX_OPTIONS.maxPixels.default }, path);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

function requireInputs(holds: boolean, expected: string, received: string): void {
  if (!holds)
    throw new VlmoError('USAGE_INVALID', `Cannot embed: expected ${expected}, received ${received}`);
}
