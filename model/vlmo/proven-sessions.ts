import type ort from 'onnxruntime-node';
import type { Provider } from '#devices/provider.ts';
import { errorMessage } from '#errors.ts';
import type { Precision } from '../precision.ts';
import type { MappedWeights } from '../prepare-weights.ts';
import type { TextEncoder } from '../tokenizer.ts';
import { type Check, checkAgain } from './check-again.ts';
import type { ModelFolder } from './folder.ts';
import { feedsOf, type ModelInputs, type Tensor, type TokenBatch } from './inputs.ts';
import { knownInputs } from './known-inputs.ts';
import { type GraphKind, TOKENS_AT_ONCE } from './network.ts';
import { compareDevice, largestDifference, objection, type Proof } from './prove-vlmo.ts';
import { MAIN_OUTPUTS, Sessions } from './sessions.ts';

export interface ProvenOptions {
  readonly threads: number;
  readonly provider: Provider;
  /** Which GPU of several. */
  readonly card?: number | undefined;
  readonly precision: Precision;
  /** Whether pictures come as samples of 8 bits. */
  readonly takesSamples: boolean;
}

/** One picture, text or pair shows that a device is right; some more, how far 16 bits are from 32. */
const KNOWN = { f32: 1, f16: 4 } as const;

interface CheckedProof extends Proof {
  /** What a GPU was asked and answered then, to be asked again when something goes wrong; the CPU needs none. */
  readonly check?: Check;
}

/** Once a process, model, device and precision. */
const proofs = new Map<string, Promise<CheckedProof>>();

/**
 * The sessions of a model, each graph believed when it has given known answers: in 16 bits where they are near enough to
 * those in 32 bits, else in 32 bits, where they have to be the CPU's.
 */
export class ProvenSessions {
  readonly #folder: ModelFolder;
  readonly #tokenizer: TextEncoder;
  readonly #options: ProvenOptions;
  readonly #prepared: MappedWeights | undefined;
  readonly #in: Readonly<Record<Precision, Sessions>>;
  readonly #proven = new Map<GraphKind, Promise<CheckedProof>>();
  /** What has been proven, in its order. */
  readonly found: Proof[] = [];

  constructor(folder: ModelFolder, tokenizer: TextEncoder, options: ProvenOptions, prepared?: MappedWeights) {
    this.#folder = folder;
    this.#tokenizer = tokenizer;
    this.#options = options;
    this.#prepared = prepared;
    const { threads, provider, card } = options;
    const make = (precision: Precision): Sessions =>
      new Sessions(folder, { threads, provider, card, precision }, prepared);
    this.#in = { f32: make('f32'), f16: make('f16') };
  }

  /** Makes the main sessions of these graphs, and proves them. Throws DEVICE_WRONG. */
  async open(kinds: readonly GraphKind[]): Promise<void> {
    const proven: Record<Precision, GraphKind[]> = { f32: [], f16: [] };
    for (const kind of kinds) proven[(await this.#proof(kind)).precision].push(kind);
    // Those made together share one copy of weights that are widened.
    for (const precision of ['f32', 'f16'] as const)
      await this.#in[precision].open(proven[precision], this.#options.takesSamples);
  }

  /** The main output of a graph, proven. Throws MODEL_INPUT_INVALID, DEVICE_WRONG. */
  async main(kind: GraphKind, inputs: ModelInputs): Promise<Tensor> {
    feedsOf(this.#folder.config, inputs);
    const { precision, check } = await this.#proof(kind);
    const run = (given: ModelInputs): Promise<Tensor> =>
      this.#ask(this.#in[precision], precision, kind, given);
    if (!check) return run(inputs);
    const value = await run(inputs).catch(async (error: unknown) => {
      await checkAgain(check, kind, run, this.#device);
      // The device is well: the error is one of these inputs.
      throw error;
    });
    if (value.data.every(Number.isFinite)) return value;
    await checkAgain(check, kind, run, this.#device);
    // These alone are beyond the range of 16 bits.
    return precision === 'f16' ? this.#ask(this.#in.f32, 'f32', kind, inputs) : value;
  }

  get #device(): string {
    const { provider, card } = this.#options;
    return card === undefined ? provider : `${provider}:${card}`;
  }

  async #ask(
    sessions: Sessions,
    precision: Precision,
    kind: GraphKind,
    { pixels, tokens }: ModelInputs,
  ): Promise<Tensor> {
    const { config } = this.#folder;
    const whole = tokens && precision === 'f16' ? inGroups(tokens, config.max_text_length) : tokens;
    const feeds = feedsOf(config, { ...(pixels && { pixels }), ...(whole && { tokens: whole }) });
    const output = MAIN_OUTPUTS[kind];
    const value = (await sessions.run(kind, [output], feeds))[output];
    if (!value) throw new Error(`The session gave no "${output}": this is a bug`);
    return value;
  }

  /** Any values of a graph, in 32 bits. */
  fetch(
    kind: GraphKind,
    outputs: readonly string[],
    feeds: Record<string, ort.Tensor>,
  ): Promise<Record<string, Tensor>> {
    return this.#in.f32.run(kind, outputs, feeds);
  }

  async close(): Promise<void> {
    await this.#in.f32.close();
    await this.#in.f16.close();
  }

  #proof(kind: GraphKind): Promise<CheckedProof> {
    const proof = this.#proven.get(kind) ?? this.#prove(kind);
    this.#proven.set(kind, proof);
    // What could not be tried may be tried again.
    proof.catch(() => this.#proven.delete(kind));
    return proof;
  }

  async #prove(kind: GraphKind): Promise<CheckedProof> {
    const { provider, precision } = this.#options;
    if (provider === 'cpu' && precision === 'f32') return { precision, difference: 0, reason: null };
    const { threads, ...device } = this.#options;
    const key = JSON.stringify([this.#folder.path, this.#folder.config, kind, device]);
    const proof = proofs.get(key) ?? this.#compare(kind);
    proofs.set(key, proof);
    proof.catch(() => proofs.delete(key));
    this.found.push(await proof);
    return proof;
  }

  async #compare(kind: GraphKind): Promise<CheckedProof> {
    const { threads, provider, precision, takesSamples } = this.#options;
    const count = KNOWN[precision];
    const known = knownInputs(this.#folder, this.#tokenizer, kind, { count, takesSamples });
    const answer = async (sessions: Sessions, computed: Precision = 'f32'): Promise<Float32Array> =>
      (await this.#ask(sessions, computed, kind, known)).data;
    const reference = new Sessions(this.#folder, { threads, provider: 'cpu' }, this.#prepared);
    try {
      const expected = await answer(reference);
      let reason: string | null = null;
      if (precision === 'f16') {
        const half = await answer(this.#in.f16, 'f16').catch((error: unknown) => errorMessage(error));
        reason =
          typeof half === 'string'
            ? `expected an answer, received an error (${half})`
            : objection(kind, expected, half, count);
        if (reason === null) {
          const answer = half as Float32Array;
          const difference = largestDifference(expected, answer);
          return { precision, difference, reason, ...(provider !== 'cpu' && { check: { known, answer } }) };
        }
        await this.#in.f16.release(kind);
      }
      if (provider === 'cpu') return { precision: 'f32', difference: 0, reason };
      const full = await answer(this.#in.f32);
      const difference = compareDevice(this.#device, kind, expected, full);
      return { precision: 'f32', difference, reason, check: { known, answer: full } };
    } finally {
      await reference.close();
    }
  }
}

/** Texts padded to whole groups of tokens, as far as the model reads: padding changes nothing. */
function inGroups({ ids, length }: TokenBatch, longest: number): TokenBatch {
  const whole = Math.min(longest, Math.ceil(length / TOKENS_AT_ONCE) * TOKENS_AT_ONCE);
  if (whole === length) return { ids, length };
  const rows = ids.length / length;
  const padded = new Int32Array(rows * whole);
  for (let row = 0; row < rows; row++)
    padded.set(ids.subarray(row * length, (row + 1) * length), row * whole);
  return { ids: padded, length: whole };
}
