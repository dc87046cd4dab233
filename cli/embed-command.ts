import type { CommandConfig } from '#config/commands.ts';
import { resolveDevice } from '#devices/device.ts';
import { type ErrorCode, VlmoError } from '#errors.ts';
import { createCrossEncoder, matchProbability } from '#model/cross-encoder.ts';
import { createEncoder } from '#model/encoder.ts';
import { openModel } from '#model/open-model.ts';
import { describePrecision, precisionOn } from '#model/precision.ts';
import type { Runner } from '#model/runner.ts';
import { embedPicture } from '#search/query.ts';
import { createThreadRunner } from '#workers/threads/thread-runner.ts';
import type { Call } from './call.ts';
import { EXIT_DONE, EXIT_ITEMS_FAILED } from './exit-codes.ts';
import { noteCutTexts } from './note-cut.ts';
import { noteDevice } from './note-device.ts';
import { note, printJson } from './output.ts';
import { describeError } from './report-error.ts';

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

async function embedAll(inputs: readonly Input[], config: EmbedConfig): Promise<void> {
  requireInputs(inputs.length > 0, 'at least one --image or --text', 'none');
  await using runner = await openRunner(config);
  const encoder = createEncoder(runner);
  const texts = inputs.filter(({ kind }) => kind === 'text');
  await noteCutTexts(
    texts.map(({ source }) => source),
    runner.model.path,
  );
  await forEach(inputs, async ({ kind, source }) => {
    const vector = kind === 'text' ? await encoder.embedTexts([source]) : await embedPicture(encoder, source);
    printJson({ kind, source, embedding: Array.from(vector) });
  });
}

async function embedPairs(inputs: readonly Input[], config: EmbedConfig): Promise<void> {
  const [images, texts] = (['image', 'text'] as const).map((kind) =>
    inputs.filter((input) => input.kind === kind).map(({ source }) => source),
  ) as [string[], string[]];
  requireInputs(
    images.length > 0 && images.length === texts.length,
    'as many --image as --text, at least one',
    `${images.length} and ${texts.length}`,
  );
  await using runner = await openRunner(config);
  const [encoder, crossEncoder] = [createEncoder(runner), await createCrossEncoder(runner)];
  await noteCutTexts(texts, runner.model.path);
  await forEach([...images.entries()], async ([i, image]) => {
    const text = texts[i] ?? '';
    const picture = await embedPicture(encoder, image);
    const cosine = dot(picture, await encoder.embedTexts([text]));
    const [logits] = await crossEncoder.match([image], [text]);
    if (!logits || logits instanceof VlmoError)
      throw logits ?? new Error('A pair without a match: this is a bug');
    printJson({ image, text, cosine, match: Math.fround(matchProbability(logits)) });
  });
}

/** The model, on the device that was asked for. */
async function openRunner(config: EmbedConfig): Promise<Runner & AsyncDisposable> {
  const device = await resolveDevice(config.device);
  const model = await openModel(config.model);
  if (config.pairs) model.requireMatching();
  model.requireEmbedding();
  noteDevice(config.device, device);
  return createThreadRunner(model, {
    ...config,
    provider: device.provider,
    card: device.cards[0],
    precision: precisionOn(device, config.precision),
    onPrecision: (found) => note(describePrecision(found) ?? ''),
  });
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
