import { compareAnswers } from '#devices/known-answers.ts';
import { VlmoError } from '#errors.ts';
import { pictureSize, pictureValues } from '#pictures/picture-spec.ts';
import { normalise } from '#pictures/preprocess.ts';
import type { LoadedModel, ModelOptions } from '../model.ts';
import type { TextEncoder } from '../tokenizer.ts';
import type { HubFolder } from './folder.ts';
import { loadHubTokenizer } from './hub-tokenizer.ts';
import { openTowerSession, type TokenRow, type TowerBatch, type TowerSession } from './tower-session.ts';
import type { Tower, TowerKind } from './towers.ts';

/** Loads both sides as they are first needed, or at once those of `ready`. Throws MODEL_INVALID, DEVICE_WRONG. */
export async function loadHub(folder: HubFolder, options: ModelOptions): Promise<LoadedModel> {
  const sides = new Sides(folder, options);
  const { rules, place } = folder;
  const tokenizer = rules && (await loadHubTokenizer(place.folder, rules));
  try {
    for (const kind of options.ready ?? []) await sides.open(kind, tokenizer);
  } catch (error) {
    await sides.close();
    throw error;
  }
  return {
    isCut: tokenizer?.isCut ?? (() => false),
    // The graphs are what they are stored in; no other form is made of them.
    precision: () => ({ precision: 'f32', reason: null }),
    embedTexts: async (texts) => {
      const { session, isPaddingFree } = await sides.open('text', tokenizer);
      return inOrder(session, texts, (some) => textBatch(folder, tokenizer, some, isPaddingFree));
    },
    embedPixels: async (pixels, count) => {
      const { session } = await sides.open('image', tokenizer);
      return session.run(pictureBatch(folder, pixels, count));
    },
    [Symbol.asyncDispose]: () => sides.close(),
  };
}

async function inOrder(
  session: TowerSession,
  texts: readonly string[],
  batch: (texts: readonly string[]) => TowerBatch,
): Promise<Float32Array> {
  return texts.length === 0 ? new Float32Array() : session.run(batch(texts));
}

interface Side {
  readonly session: TowerSession;
  /** Whether a text's vector is the same however far its row is filled up. */
  readonly isPaddingFree: boolean;
}

class Sides {
  readonly #folder: HubFolder;
  readonly #options: ModelOptions;
  readonly #open = new Map<TowerKind, Promise<Side>>();

  constructor(folder: HubFolder, options: ModelOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  open(kind: TowerKind, tokenizer: TextEncoder | undefined): Promise<Side> {
    const tower = this.#folder[kind];
    if (!tower) return Promise.reject(missingSide(this.#folder, kind));
    const known = this.#open.get(kind) ?? this.#make(tower, tokenizer);
    this.#open.set(kind, known);
    // What could not be made may be tried again.
    known.catch(() => this.#open.delete(kind));
    return known;
  }

  async #make(tower: Tower, tokenizer: TextEncoder | undefined): Promise<Side> {
    const { picture } = this.#folder;
    const { threads, provider, card } = this.#options;
    const side = [picture.channels, ...pictureSize(picture)] as unknown as [number, number, number];
    const session = await openTowerSession(tower, { threads, provider, card, picture: side });
    try {
      if (provider !== 'cpu') await this.#prove(tower, tokenizer, session, side);
      return { session, isPaddingFree: await this.#isPaddingFree(tower, tokenizer, session) };
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A device is believed when it gives what the CPU gives. */
  async #prove(
    tower: Tower,
    tokenizer: TextEncoder | undefined,
    session: TowerSession,
    picture: readonly [number, number, number],
  ): Promise<void> {
    const known = this.#knownBatch(tower, tokenizer);
    await using cpu = await openTowerSession(tower, { threads: 0, provider: 'cpu', picture });
    compareAnswers({
      device: this.#options.provider,
      what: `a value of a vector of ${tower.kind}`,
      expected: await cpu.run(known),
      received: await session.run(known),
      bound: tower.dtype === 'f32' ? 1e-4 : 1e-2,
    });
  }

  #knownBatch({ kind }: Tower, tokenizer: TextEncoder | undefined): TowerBatch {
    if (kind === 'text') return textBatch(this.#folder, tokenizer, KNOWN_TEXTS, false);
    const values = pictureValues(this.#folder.picture);
    const pixels = Uint8Array.from({ length: values }, (_, i) => 127 + 127 * Math.sin(i * (0.1 + i / 1e6)));
    return pictureBatch(this.#folder, pixels, 1);
  }

  /**
   * Found out by trying, not by the family's name: CLIP's vectors are the same however far a row is filled up, SigLIP's and
   * those of texts that are read from both ends are others.
   */
  async #isPaddingFree(
    { kind, input, isAlone }: Tower,
    tokenizer: TextEncoder | undefined,
    session: TowerSession,
  ): Promise<boolean> {
    if (kind === 'image' || isAlone || typeof input.dims[1] === 'number') return false;
    const [full, short] = [false, true].map((isFree) =>
      textBatch(this.#folder, tokenizer, KNOWN_TEXTS, isFree),
    ) as [TowerBatch, TowerBatch];
    const expected = await session.run(full);
    const received = await session.run(short);
    return expected.every((value, i) => Math.abs(value - (received[i] as number)) < PADDING_BOUND);
  }

  async close(): Promise<void> {
    for (const side of this.#open.values())
      await (await side.catch(() => undefined))?.session[Symbol.asyncDispose]();
    this.#open.clear();
  }
}

const KNOWN_TEXTS = ['a dog', 'Two people sit on a bench beside the river and read a newspaper', 'x'];
/** What another order of additions explains. */
const PADDING_BOUND = 2e-6;

function pictureBatch({ picture }: HubFolder, samples: Uint8Array, count: number): TowerBatch {
  const pixels = new Float32Array(count * pictureValues(picture));
  normalise(samples.subarray(0, pixels.length), picture, pixels);
  const [height, width] = pictureSize(picture);
  return { kind: 'image', pixels, dims: [picture.channels, height, width] };
}

/** Rows of ids, filled up to the longest of the model, or where that makes no difference to the longest of them. */
function textBatch(
  { rules, config: { model_type: family } }: HubFolder,
  tokenizer: TextEncoder | undefined,
  texts: readonly string[],
  isPaddingFree: boolean,
): TowerBatch {
  if (!rules || !tokenizer) throw new Error('Texts for a model without a tokenizer: this is a bug');
  const ids = texts.map((text) => tokenizer.encode(text));
  const longest = Math.max(1, ...ids.map(({ length }) => length));
  const length = isPaddingFree ? longest : rules.maxTokens;
  const rows = ids.map((row): TokenRow => {
    const padded = new Int32Array(length).fill(rules.padId);
    padded.set(row);
    // SigLIP learned without a mask: what fills up a row is read.
    const mask = new Int32Array(length).fill(1, 0, family === 'siglip' ? length : row.length);
    return { ids: padded, mask };
  });
  return { kind: 'text', rows };
}

/** Which searches a folder of one side allows. */
function missingSide({ place: { name } }: HubFolder, kind: TowerKind): VlmoError {
  const [expected, received] =
    kind === 'text'
      ? ['a graph for texts (onnx/text_model.onnx)', 'pictures only: they are found by pictures']
      : ['a graph for pictures (onnx/vision_model.onnx)', 'texts only: captions are found by texts'];
  return new VlmoError(
    'MODEL_HEAD_MISSING',
    `Cannot run model "${name}": expected ${expected}, received a folder for ${received}`,
  );
}
