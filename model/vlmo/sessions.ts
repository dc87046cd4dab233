import type ort from 'onnxruntime-node';
import { inTurn } from '#devices/gpu-lock.ts';
import { VlmoError } from '#errors.ts';
import type { ModelFolder } from './folder.ts';
import { invalidInput, type Tensor } from './inputs.ts';
import type { GraphKind } from './network.ts';
import { type MappedWeights, prepareWeights } from './prepare-weights.ts';
import { createSession, type SessionOptions } from './session.ts';

/** What each graph is for. */
export const MAIN_OUTPUTS = {
  image: 'image_embedding',
  text: 'text_embedding',
  fusion: 'itm_logits',
} as const;

/** The sessions of one model, by graph and outputs. */
export class Sessions {
  readonly #folder: ModelFolder;
  readonly #options: SessionOptions;
  /** Weights that somebody else prepared, and keeps. */
  readonly #prepared: MappedWeights | undefined;
  readonly #open = new Map<string, ort.InferenceSession>();
  /** Sessions are made one call after the other: two first runs at once would make, and leak, the same session. */
  #opening: Promise<void> = Promise.resolve();

  constructor(folder: ModelFolder, options: SessionOptions, prepared?: MappedWeights) {
    this.#folder = folder;
    this.#options = options;
    this.#prepared = prepared;
  }

  open(graphs: readonly (readonly [GraphKind, readonly string[]])[]): Promise<void> {
    const turn = this.#opening.then(() => this.#create(graphs));
    this.#opening = turn.catch(() => {});
    return turn;
  }

  async #create(graphs: readonly (readonly [GraphKind, readonly string[]])[]): Promise<void> {
    const missing = graphs.filter(([kind, outputs]) => !this.#open.has(keyOf(kind, outputs)));
    if (missing.length === 0) return;
    const own = this.#prepared ? undefined : await prepareWeights(this.#folder);
    try {
      for (const [kind, outputs] of missing) {
        if (this.#open.has(keyOf(kind, outputs))) continue; // asked for twice
        const weights = this.#prepared ?? (own as MappedWeights);
        const session = await createSession(kind, outputs, this.#folder.config, weights, this.#options);
        this.#open.set(keyOf(kind, outputs), session);
      }
    } finally {
      await own?.[Symbol.asyncDispose]();
    }
  }

  /** Graphs to make along with another one: each call of open widens float16 weights into a copy of its own. */
  #companions(): (readonly [GraphKind, readonly string[]])[] {
    const { config, heads } = this.#folder;
    if (config.dtype === 'f32' || this.#prepared) return [];
    const kinds = [
      ...(heads.itc ? (['image', 'text'] as const) : []),
      ...(heads.itm ? (['fusion'] as const) : []),
    ];
    return kinds.map((kind) => [kind, [MAIN_OUTPUTS[kind]]]);
  }

  async run(
    kind: GraphKind,
    outputs: readonly string[],
    feeds: Record<string, ort.Tensor>,
  ): Promise<Record<string, Tensor>> {
    if (!this.#open.has(keyOf(kind, outputs))) await this.open([[kind, outputs], ...this.#companions()]);
    const session = this.#open.get(keyOf(kind, outputs));
    if (!session) throw new Error(`No session for the ${kind} graph: this is a bug`);
    const chosen = feedsFor(session, kind, feeds);
    const results = await inTurn(this.#options.provider, () => session.run(chosen));
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
    );
  }

  async close(): Promise<void> {
    await this.#opening;
    for (const session of this.#open.values()) {
      await inTurn(this.#options.provider, () => session.release());
    }
    this.#open.clear();
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

function keyOf(kind: GraphKind, outputs: readonly string[]): string {
  return `${kind} ${outputs.join(' ')}`;
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
