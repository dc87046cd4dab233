import type ort from 'onnxruntime-node';
import { inTurn } from '#devices/gpu-lock.ts';
import { VlmoError } from '#errors.ts';
import { type MappedWeights, prepareWeights } from '../prepare-weights.ts';
import type { ModelFolder } from './folder.ts';
import { invalidInput, type Tensor } from './inputs.ts';
import type { GraphKind } from './network.ts';
import { createSession, type SessionOptions } from './session.ts';

/** What each graph is for. */
export const MAIN_OUTPUTS = {
  image: 'image_embedding',
  text: 'text_embedding',
  fusion: 'itm_logits',
} as const;

/** How all sessions of a model compute. */
export type SharedOptions = Omit<SessionOptions, 'samples'>;

/** One session: a graph, what it gives, and whether it takes pictures of 8 bits. */
interface Wanted {
  readonly kind: GraphKind;
  readonly outputs: readonly string[];
  readonly takesSamples: boolean;
}

/** The sessions of one model, by graph and outputs. */
export class Sessions {
  readonly #folder: ModelFolder;
  readonly #options: SharedOptions;
  /** Weights that somebody else prepared, and keeps. */
  readonly #prepared: MappedWeights | undefined;
  readonly #open = new Map<string, ort.InferenceSession>();
  /** Sessions are made one call after the other: two first runs at once would make, and leak, the same session. */
  #opening: Promise<void> = Promise.resolve();

  constructor(folder: ModelFolder, options: SharedOptions, prepared?: MappedWeights) {
    this.#folder = folder;
    this.#options = options;
    this.#prepared = prepared;
  }

  /** Makes the main sessions of these graphs. */
  open(kinds: readonly GraphKind[], takesSamples: boolean): Promise<void> {
    return this.#make(kinds.map((kind) => ({ kind, outputs: [MAIN_OUTPUTS[kind]], takesSamples })));
  }

  #make(wanted: readonly Wanted[]): Promise<void> {
    const turn = this.#opening.then(() => this.#create(wanted));
    this.#opening = turn.catch(() => {});
    return turn;
  }

  async #create(wanted: readonly Wanted[]): Promise<void> {
    const missing = wanted.filter((one) => !this.#open.has(keyOf(one)));
    if (missing.length === 0) return;
    const own = this.#prepared ? undefined : await prepareWeights(this.#folder);
    try {
      for (const one of missing) {
        if (this.#open.has(keyOf(one))) continue; // asked for twice
        const weights = this.#prepared ?? (own as MappedWeights);
        const samples = one.takesSamples ? this.#folder.picture : undefined;
        const options = { ...this.#options, samples };
        const session = await createSession(one.kind, one.outputs, this.#folder.config, weights, options);
        this.#open.set(keyOf(one), session);
      }
    } finally {
      await own?.[Symbol.asyncDispose]();
    }
  }

  /** Sessions to make along with another one: each call of #make widens float16 weights into a copy of its own. */
  #companions(takesSamples: boolean): Wanted[] {
    const { config, heads } = this.#folder;
    if (config.dtype === 'f32' || this.#prepared) return [];
    const kinds = [
      ...(heads.itc ? (['image', 'text'] as const) : []),
      ...(heads.itm ? (['fusion'] as const) : []),
    ];
    return kinds.map((kind) => ({ kind, outputs: [MAIN_OUTPUTS[kind]], takesSamples }));
  }

  async run(
    kind: GraphKind,
    outputs: readonly string[],
    feeds: Record<string, ort.Tensor>,
  ): Promise<Record<string, Tensor>> {
    const takesSamples = feeds.pixel_values?.type === 'uint8';
    const wanted = { kind, outputs, takesSamples };
    if (!this.#open.has(keyOf(wanted))) await this.#make([wanted, ...this.#companions(takesSamples)]);
    const session = this.#open.get(keyOf(wanted));
    if (!session) throw new Error(`No session for the ${kind} graph: this is a bug`);
    const chosen = feedsFor(session, kind, feeds);
    const results = await inTurn(this.#options.provider, () => session.run(chosen));
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
    );
  }

  /** Gives back the sessions of a graph. */
  async release(kind: GraphKind): Promise<void> {
    await this.#close((key) => key.startsWith(`${kind} `));
  }

  close(): Promise<void> {
    return this.#close(() => true);
  }

  async #close(isMeant: (key: string) => boolean): Promise<void> {
    await this.#opening;
    for (const [key, session] of this.#open) {
      if (!isMeant(key)) continue;
      this.#open.delete(key);
      await inTurn(this.#options.provider, () => session.release());
    }
  }
}

/** Of what was given, the inputs that the asked values are computed from. */
function feedsFor(
  session: ort.InferenceSession,
  kind: GraphKind,
  feeds: Record<string, ort.Tensor>,
): Record<string, ort.Tensor> {
  const wanted = session.inputNames.map((name) => {
    const feed = feeds[name];
    if (feed) return [name, feed] as const;
    const given = Object.keys(feeds).join(', ') || 'nothing';
    throw invalidInput(`run the ${kind} graph`, `"${name}"`, given);
  });
  return Object.fromEntries(wanted);
}

/** A graph of texts alone is the same whatever pictures are. */
function keyOf({ kind, outputs, takesSamples }: Wanted): string {
  return `${kind} ${outputs.join(' ')}${takesSamples && kind !== 'text' ? ' of samples' : ''}`;
}

/** The main output of a graph, if the checkpoint came with the head that computes it. */
export function requireHead({ name, heads }: ModelFolder, kind: GraphKind): string {
  const head = kind === 'fusion' ? 'itm' : 'itc';
  if (heads[head]) return MAIN_OUTPUTS[kind];
  const hint =
    head === 'itm'
      ? 'an ITM head ("itm_score"), which the pre-training checkpoints (vlmo_base_patch16_224.pt, vlmo_base_plus_patch16_224.pt, vlmo_large_patch16_224.pt) and the bundled "demo" have, and those fine-tuned for retrieval have not'
      : 'ITC heads ("itc_image_proj" and "itc_text_proj")';
  throw new VlmoError(
    'MODEL_HEAD_MISSING',
    `Cannot run model "${name}": expected ${hint}, received a checkpoint without`,
  );
}
