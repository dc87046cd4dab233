import ort from 'onnxruntime-node';
import { inTurn } from '#devices/gpu-lock.ts';
import { compareAnswers } from '#devices/known-answers.ts';
import type { Graph } from '#onnx/graph.ts';
import { type PictureSpec, pictureSize, pictureValues } from '#pictures/picture-spec.ts';
import { type GraphSessionOptions, openGraphSession } from './graph-session.ts';
import type { ModelOptions } from './model.ts';
import { type MappedWeights, prepareWeights } from './prepare-weights.ts';
import { readSafetensorsHeader } from './safetensors.ts';
import { createWeights, WEIGHTS_FILE, type Weights } from './weights.ts';

export type Feeds = Readonly<Record<string, ort.Tensor>>;

/** One of a model's graphs, and how a device shows that it computes it. */
export interface GraphSpec {
  build(weights: Weights): Graph;
  /** Name of its one output. */
  readonly output: string;
  /** What is compared: `a logit of a pair`. */
  readonly what: string;
  /** What another order of additions explains. */
  readonly bound: number;
  /** An input whose answers of the CPU a device has to give. */
  known(): Feeds;
}

/** The sessions of a model's graphs, each made, and on a GPU proven, when it is first used. */
export class ProvenGraphs<Kind extends string> {
  readonly #model: Parameters<typeof prepareWeights>[0];
  readonly #graphs: Readonly<Record<Kind, GraphSpec>>;
  readonly #options: GraphSessionOptions;
  readonly #weightsFolder: string | undefined;
  readonly #open = new Map<Kind, Promise<ort.InferenceSession>>();

  constructor(
    model: Parameters<typeof prepareWeights>[0],
    graphs: Readonly<Record<Kind, GraphSpec>>,
    { threads, provider, card, weightsFolder }: ModelOptions,
  ) {
    this.#model = model;
    this.#graphs = graphs;
    this.#options = { threads, provider, card };
    this.#weightsFolder = weightsFolder;
  }

  /** Throws MODEL_INVALID, DEVICE_WRONG. */
  open(kind: Kind): Promise<ort.InferenceSession> {
    const opening = this.#open.get(kind) ?? this.#make(this.#graphs[kind]);
    this.#open.set(kind, opening);
    // What could not be made may be tried again.
    opening.catch(() => this.#open.delete(kind));
    return opening;
  }

  async run(kind: Kind, feeds: Feeds): Promise<Float32Array> {
    return ask(this.#graphs[kind], await this.open(kind), feeds, this.#options);
  }

  async close(): Promise<void> {
    for (const opening of this.#open.values()) {
      const session = await opening.catch(() => undefined);
      await inTurn(this.#options.provider, async () => session?.release());
    }
    this.#open.clear();
  }

  async #make(spec: GraphSpec): Promise<ort.InferenceSession> {
    const own = this.#weightsFolder === undefined ? await prepareWeights(this.#model) : undefined;
    try {
      const { folder, weights } = own ?? (await preparedIn(this.#weightsFolder ?? ''));
      const graph = spec.build(weights);
      const session = await openGraphSession(graph, folder, this.#options);
      if (this.#options.provider !== 'cpu') await this.#prove(spec, session, graph, folder);
      return session;
    } finally {
      await own?.[Symbol.asyncDispose]();
    }
  }

  /** A device is believed when it gives what the CPU gives. */
  async #prove(spec: GraphSpec, session: ort.InferenceSession, graph: Graph, folder: string): Promise<void> {
    const onCpu = { threads: this.#options.threads, provider: 'cpu' } as const;
    const cpu = await openGraphSession(graph, folder, onCpu);
    try {
      const known = spec.known();
      compareAnswers({
        ...{ device: this.#options.provider, what: spec.what, bound: spec.bound },
        expected: await ask(spec, cpu, known, onCpu),
        received: await ask(spec, session, known, this.#options),
      });
    } catch (error) {
      await inTurn(this.#options.provider, () => session.release());
      throw error;
    } finally {
      await cpu.release();
    }
  }
}

async function ask(
  { output }: GraphSpec,
  session: ort.InferenceSession,
  feeds: Feeds,
  { provider }: GraphSessionOptions,
): Promise<Float32Array> {
  const found = await inTurn(provider, () => session.run(feeds));
  const tensor = found[output];
  if (!tensor) throw new Error(`The session gave no "${output}": this is a bug`);
  return tensor.data as Float32Array;
}

async function preparedIn(folder: string): Promise<Pick<MappedWeights, 'folder' | 'weights'>> {
  const tensors = await readSafetensorsHeader(`${folder}/${WEIGHTS_FILE}`);
  return { folder, weights: createWeights(WEIGHTS_FILE, tensors) };
}

/** `count` pictures of 8 bits [B, C, H, W]. */
export function pictureFeeds(spec: PictureSpec, pixels: Uint8Array, count: number): Feeds {
  const samples = pixels.subarray(0, count * pictureValues(spec));
  const dims = [count, spec.channels, ...pictureSize(spec)];
  return { pixel_values: new ort.Tensor('uint8', samples, dims) };
}

/** The picture that devices are proven with. */
export function knownPicture(spec: PictureSpec): Feeds {
  const wave = (_: unknown, i: number): number => 127 + 127 * Math.sin(i * (0.1 + i / 1e6));
  return pictureFeeds(spec, Uint8Array.from({ length: pictureValues(spec) }, wave), 1);
}
