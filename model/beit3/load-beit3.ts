import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { inTurn } from '#devices/gpu-lock.ts';
import { compareAnswers } from '#devices/known-answers.ts';
import { VlmoError } from '#errors.ts';
import { pictureSize, pictureValues } from '#pictures/picture-spec.ts';
import { type GraphSessionOptions, openGraphSession } from '../graph-session.ts';
import type { LoadedModel, ModelOptions } from '../model.ts';
import { prepareWeights } from '../prepare-weights.ts';
import { readSafetensorsHeader } from '../safetensors.ts';
import type { TextEncoder } from '../tokenizer.ts';
import { createWeights, WEIGHTS_FILE } from '../weights.ts';
import type { Beit3Folder } from './folder.ts';
import { buildPictureGraph, buildTextGraph } from './network.ts';
import { loadPieces, PAD_ID, PIECES_FILE } from './token-ids.ts';

type Kind = 'image' | 'text';
type Feeds = Readonly<Record<string, ort.Tensor>>;

/** What another order of additions explains, in a vector of unit length. */
const BOUND = 1e-3;
const KNOWN_IDS = [[0, 2], [0, 3, 3, 2], [0]];

/** How a folder makes ids of texts. Throws MODEL_INVALID. */
export function loadFolderPieces({ path, config }: Beit3Folder): TextEncoder {
  try {
    return loadPieces(join(path, PIECES_FILE), config.vocab_size, config.max_text_length);
  } catch (error) {
    if (!(error instanceof VlmoError)) throw error;
    throw new VlmoError('MODEL_INVALID', error.message, { cause: error });
  }
}

/** Loads a model whose graphs are made, and on a GPU proven, when they are first used, or at once those of `ready`. Throws MODEL_INVALID, DEVICE_WRONG. */
export async function loadBeit3(folder: Beit3Folder, options: ModelOptions): Promise<LoadedModel> {
  const pieces = loadFolderPieces(folder);
  const towers = new Towers(folder, options);
  try {
    for (const kind of options.ready ?? []) await towers.open(kind);
  } catch (error) {
    await towers.close();
    throw error;
  }
  return {
    isCut: pieces.isCut,
    // Its layers are in 32 bits on every device.
    precision: () => ({ precision: 'f32', reason: null }),
    embedTexts: async (texts) =>
      texts.length === 0
        ? new Float32Array()
        : towers.run('text', textFeeds(texts.map((text) => pieces.encode(text)))),
    embedPixels: (pixels, count) => towers.run('image', pictureFeeds(folder, pixels, count)),
    [Symbol.asyncDispose]: () => towers.close(),
  };
}

class Towers {
  readonly #folder: Beit3Folder;
  readonly #options: GraphSessionOptions;
  readonly #weightsFolder: string | undefined;
  readonly #open = new Map<Kind, Promise<ort.InferenceSession>>();

  constructor(folder: Beit3Folder, { threads, provider, card, weightsFolder }: ModelOptions) {
    this.#folder = folder;
    this.#options = { threads, provider, card };
    this.#weightsFolder = weightsFolder;
  }

  open(kind: Kind): Promise<ort.InferenceSession> {
    const opening = this.#open.get(kind) ?? this.#make(kind);
    this.#open.set(kind, opening);
    // What could not be made may be tried again.
    opening.catch(() => this.#open.delete(kind));
    return opening;
  }

  async run(kind: Kind, feeds: Feeds): Promise<Float32Array> {
    return ask(kind, await this.open(kind), feeds, this.#options);
  }

  async close(): Promise<void> {
    for (const opening of this.#open.values()) {
      const session = await opening.catch(() => undefined);
      await inTurn(this.#options.provider, async () => session?.release());
    }
    this.#open.clear();
  }

  async #make(kind: Kind): Promise<ort.InferenceSession> {
    const own = this.#weightsFolder === undefined ? await prepareWeights(this.#folder) : undefined;
    try {
      const folder = own?.folder ?? this.#weightsFolder ?? '';
      const weights =
        own?.weights ?? createWeights(WEIGHTS_FILE, await readSafetensorsHeader(join(folder, WEIGHTS_FILE)));
      const { config, picture } = this.#folder;
      const graph =
        kind === 'image' ? buildPictureGraph(config, weights, picture) : buildTextGraph(config, weights);
      const session = await openGraphSession(graph, folder, this.#options);
      if (this.#options.provider !== 'cpu')
        await this.#prove(kind, session, (onCpu) => openGraphSession(graph, folder, onCpu));
      return session;
    } finally {
      await own?.[Symbol.asyncDispose]();
    }
  }

  /** A device is believed when it gives what the CPU gives. */
  async #prove(
    kind: Kind,
    session: ort.InferenceSession,
    openOn: (options: GraphSessionOptions) => Promise<ort.InferenceSession>,
  ): Promise<void> {
    const onCpu = { threads: this.#options.threads, provider: 'cpu' } as const;
    const cpu = await openOn(onCpu);
    try {
      const known = kind === 'image' ? this.#knownPicture() : textFeeds(KNOWN_IDS);
      compareAnswers({
        device: this.#options.provider,
        what: `a value of a vector of ${kind}`,
        expected: await ask(kind, cpu, known, onCpu),
        received: await ask(kind, session, known, this.#options),
        bound: BOUND,
      });
    } catch (error) {
      await inTurn(this.#options.provider, () => session.release());
      throw error;
    } finally {
      await cpu.release();
    }
  }

  #knownPicture(): Feeds {
    const values = pictureValues(this.#folder.picture);
    const pixels = Uint8Array.from({ length: values }, (_, i) => 127 + 127 * Math.sin(i * (0.1 + i / 1e6)));
    return pictureFeeds(this.#folder, pixels, 1);
  }
}

async function ask(
  kind: Kind,
  session: ort.InferenceSession,
  feeds: Feeds,
  { provider }: GraphSessionOptions,
): Promise<Float32Array> {
  const found = await inTurn(provider, () => session.run(feeds));
  const tensor = found[`${kind}_embedding`];
  if (!tensor) throw new Error(`The session gave no "${kind}_embedding": this is a bug`);
  return tensor.data as Float32Array;
}

function pictureFeeds({ picture }: Beit3Folder, pixels: Uint8Array, count: number): Feeds {
  const samples = pixels.subarray(0, count * pictureValues(picture));
  const dims = [count, picture.channels, ...pictureSize(picture)];
  return { pixel_values: new ort.Tensor('uint8', samples, dims) };
}

/** Rows of ids, each padded to the longest. */
function textFeeds(rows: readonly (readonly number[])[]): Feeds {
  const length = Math.max(...rows.map((row) => row.length));
  const ids = new Int32Array(rows.length * length).fill(PAD_ID);
  rows.forEach((row, i) => {
    ids.set(row, i * length);
  });
  return { input_ids: new ort.Tensor('int32', ids, [rows.length, length]) };
}
