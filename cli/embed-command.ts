import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import { type ErrorCode, VlmoError } from '#errors.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import { openModelFolder } from '#model/vlmo/folder.ts';
import type { Tensor } from '#model/vlmo/inputs.ts';
import type { GraphKind } from '#model/vlmo/network.ts';
import { loadVlmo, type Vlmo } from '#model/vlmo/vlmo.ts';
import { samplesTensor } from '#pictures/picture-tensor.ts';
import { decodeOne } from '#workers/decode/decode-one.ts';
import { createPreprocessPool } from '#workers/decode/preprocess-pool.ts';
import type { Call } from './call.ts';
import { EXIT_DONE, EXIT_ITEMS_FAILED } from './exit-codes.ts';
import { noteCutTexts } from './note-cut.ts';
import { noteDevice } from './note-device.ts';
import { note, printJson } from './output.ts';
import { Owned } from './owned.ts';
import { describeError } from './report-error.ts';
import { resolveModel } from './resolve-model.ts';

interface Input {
  readonly kind: 'image' | 'text';
  readonly source: string;
}

type EmbedConfig = CommandConfig<'embed'>;

/** `vlmo embed`: vectors of pictures and texts, one JSON object a line, in the order given. */
export async function runEmbed(config: EmbedConfig, _: readonly [], call: Call<'embed'>): Promise<void> {
  const inputs = readInputs(config, call);
  await (config.pairs ? embedPairs(inputs, config) : embedAll(inputs, config));
}

/** In the order of the command line; behind it what the environment or the file says, which have none. */
function readInputs({ images = [], texts = [] }: EmbedConfig, { inOrder, origin }: Call<'embed'>): Input[] {
  const [image, text] = [{ kind: 'image' }, { kind: 'text' }] as const;
  const elsewhere = (name: 'images' | 'texts', values: readonly string[]): readonly string[] =>
    origin(name) === 'flag' ? [] : values;
  return [
    ...inOrder.map(({ name, value: source }) => ({ ...(name === 'images' ? image : text), source })),
    ...elsewhere('images', images).map((source) => ({ ...image, source })),
    ...elsewhere('texts', texts).map((source) => ({ ...text, source })),
  ];
}

async function embedAll(inputs: readonly Input[], flags: EmbedConfig): Promise<void> {
  requireInputs(inputs.length > 0, 'at least one --image or --text', 'none');
  const kinds = (['image', 'text'] as const).filter((kind) => inputs.some((input) => input.kind === kind));
  await using loaded = await load(flags, kinds);
  const { vlmo, readPixels } = loaded;
  const texts = inputs.filter(({ kind }) => kind === 'text');
  await noteCutTexts(
    texts.map(({ source }) => source),
    vlmo.folder.path,
  );
  await forEach(inputs, async ({ kind, source }) => {
    const { data } =
      kind === 'text' ? await vlmo.embedTexts([source]) : await vlmo.embedImages(await readPixels(source));
    printJson({ kind, source, embedding: Array.from(data) });
  });
}

async function embedPairs(inputs: readonly Input[], flags: EmbedConfig): Promise<void> {
  const [images, texts] = (['image', 'text'] as const).map((kind) =>
    inputs.filter((input) => input.kind === kind).map(({ source }) => source),
  ) as [string[], string[]];
  requireInputs(
    images.length > 0 && images.length === texts.length,
    'as many --image as --text, at least one',
    `${images.length} and ${texts.length}`,
  );
  await using loaded = await load(flags, ['fusion', 'image', 'text']);
  const { vlmo, readPixels } = loaded;
  await noteCutTexts(texts, vlmo.folder.path);
  await forEach([...images.entries()], async ([i, image]) => {
    const text = texts[i] ?? '';
    const pixels = await readPixels(image);
    const { probabilities } = await vlmo.match(pixels, [text]);
    const cosine = dot((await vlmo.embedImages(pixels)).data, (await vlmo.embedTexts([text])).data);
    printJson({ image, text, cosine, match: probabilities[0] });
  });
}

interface Loaded extends AsyncDisposable {
  readonly vlmo: Vlmo;
  /** A picture as a batch of one. */
  readPixels(path: string): Promise<Tensor>;
}

/** The model, with what is needed of it, on the device that was asked for, and a process that decodes for it. */
async function load(flags: EmbedConfig, graphs: readonly GraphKind[]): Promise<Loaded> {
  const model = await openModelFolder(resolveModel(flags.model));
  const { preprocess: mode, maxPixels, maxImageBytes, decodeTimeout, decodeMemory } = flags;
  const limits = { maxPixels, maxImageBytes, timeoutSeconds: decodeTimeout, memoryMiB: decodeMemory };
  await using owned = new Owned();
  // First, so that it starts while the model is loaded.
  const preprocess = graphs.includes('image')
    ? owned.use(createPreprocessPool({ spec: model.config, mode, ...limits }, 1))
    : undefined;
  const device = await resolveDevice(flags.device);
  const vlmo = owned.use(await loadVlmo(model, { provider: device.provider, graphs }));
  noteDevice(flags.device, device);
  const opened = owned.move();
  return {
    vlmo,
    async readPixels(uri) {
      if (!preprocess) throw new Error('Nothing decodes pictures: this is a bug');
      const pixels = new SharedArrayBuffer(pictureValues(model.config));
      await decodeOne(preprocess, { uri }, pixels);
      return samplesTensor(new Uint8Array(pixels), model.config);
    },
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
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
  'ITEM_TIMEOUT',
  'ITEM_CRASHES',
  'WORKER_CRASHED',
]);

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

function requireInputs(holds: boolean, expected: string, received: string): void {
  if (!holds)
    throw new VlmoError('USAGE_INVALID', `Cannot embed: expected ${expected}, received ${received}`);
}
