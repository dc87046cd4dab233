import { BLOCK_ROWS, biasOf, HIDDEN } from '../blocks.ts';
import { longestRow } from '../dot.ts';
import type { DoubtfulRows } from '../doubtful-rows.ts';
import type { OpenTask } from '../protocol.ts';
import { float32Error } from '../score-error.ts';
import { chooseBlocks } from '../select-rows.ts';
import type { Gpu } from './gpu-device.ts';
import { GATHERING_SHADER, HALVES, MAX_WORKGROUPS, scoringShader } from './scoring-shader.ts';

/** Queries that read a row together, where the memory of a workgroup holds them: more gain nothing. */
const QUERIES_TOGETHER = 4;
/** Bytes of scores on the device at a time. */
const SCORE_BYTES = 256 * 2 ** 20;
/** Bytes that are on their way to the device at a time. */
const PIECE_BYTES = 16 * 2 ** 20;

/**
 * A segment in the memory of a GPU, as float16, scored by a kernel of ours: onnxruntime's own on WebGPU stay hundreds of
 * times above the time that reading the vectors takes (docs/benchmarks.md).
 */
export class WebGpuSegment {
  readonly #gpu: Gpu;
  readonly #rows: number;
  /** Values of a row, and those it has on the device: whole words, filled with zeros. */
  readonly dimensions: number;
  readonly #width: number;
  /** Length of the longest row. */
  readonly #longest: number;
  readonly #vectors: GPUBuffer;
  /** On the device, by what they were made of: most queries have the same. */
  readonly #biases = new WeakMap<Uint8Array, GPUBuffer>();
  readonly #noBias: GPUBuffer;
  readonly #pipelines = new Map<string, GPUComputePipeline>();

  private constructor(gpu: Gpu, rows: number, dimensions: number, width: number, longest: number) {
    this.#gpu = gpu;
    this.#longest = longest;
    this.#rows = rows;
    this.dimensions = dimensions;
    this.#width = width;
    const { STORAGE, COPY_DST } = GPUBufferUsage;
    this.#vectors = gpu.device.createBuffer({ size: 2 * rows * width, usage: STORAGE | COPY_DST });
    this.#noBias = gpu.device.createBuffer({ size: 4, usage: STORAGE });
  }

  /** Loads float16 vectors [rows, dimensions], piece by piece. Throws where they do not fit. */
  static async open(gpu: Gpu, { halves, rows, dimensions }: Omit<OpenTask, 'kind'>): Promise<WebGpuSegment> {
    const width = Math.ceil(dimensions / HALVES) * HALVES;
    gpu.device.pushErrorScope('validation');
    gpu.device.pushErrorScope('out-of-memory');
    const segment = new WebGpuSegment(gpu, rows, dimensions, width, longestRow(halves, dimensions));
    await segment.#load(halves);
    for (const scope of ['memory', 'limits']) {
      const error = await gpu.device.popErrorScope();
      if (error) throw new Error(`its ${scope}: ${error.message}`);
    }
    return segment;
  }

  async #load(halves: Uint16Array): Promise<void> {
    const { queue } = this.#gpu.device;
    const step = Math.max(1, Math.floor(PIECE_BYTES / (2 * this.#width)));
    for (let row = 0; row < this.#rows; row += step) {
      const count = Math.min(step, this.#rows - row);
      const piece = halves.slice(row * this.dimensions, (row + count) * this.dimensions);
      queue.writeBuffer(this.#vectors, row * this.#width * 2, this.#widened(piece, count));
      // Not more than a piece waits in the driver.
      await queue.onSubmittedWorkDone();
    }
  }

  #widened(halves: Uint16Array<ArrayBuffer>, count: number): Uint16Array<ArrayBuffer> {
    if (this.#width === this.dimensions) return halves;
    const wide = new Uint16Array(count * this.#width);
    for (let row = 0; row < count; row++)
      wide.set(halves.subarray(row * this.dimensions, (row + 1) * this.dimensions), row * this.#width);
    return wide;
  }

  /** Puts what may be among the k best of each query [Q, D] to its rows in doubt. */
  async score(
    part: number,
    queries: Float32Array,
    k: number,
    hidden: Uint8Array | null,
    lists: readonly DoubtfulRows[],
  ): Promise<void> {
    const most = Math.max(1, Math.floor(SCORE_BYTES / (4 * this.#rows)));
    for (let at = 0; at < lists.length; at += most) {
      const some = queries.subarray(at * this.dimensions, (at + most) * this.dimensions);
      await this.#scoreSome(part, some, k, hidden, lists.slice(at, at + most));
    }
  }

  async #scoreSome(
    part: number,
    queries: Float32Array,
    k: number,
    hidden: Uint8Array | null,
    lists: readonly DoubtfulRows[],
  ): Promise<void> {
    const blocks = this.#rows / BLOCK_ROWS;
    const count = lists.length;
    const fitting = Math.floor(this.#gpu.sharedBytes / (4 * (this.#width + BLOCK_ROWS)));
    const together = Math.max(1, Math.min(QUERIES_TOGETHER, fitting, count));
    // The kernel takes whole groups of queries; those that fill up the last one are zeros.
    const padded = Math.ceil(count / together) * together;
    using scope = new BufferScope(this.#gpu.device);
    const wide = new Float32Array(padded * this.#width);
    for (let q = 0; q < count; q++)
      wide.set(queries.subarray(q * this.dimensions, (q + 1) * this.dimensions), q * this.#width);
    const scores = scope.storage(4 * padded * this.#rows);
    const maxima = scope.storage(4 * padded * blocks);
    const shape = scope.uniform([this.#rows, hidden ? 1 : 0]);
    const code = scoringShader(together, this.#width);
    const inputs = [this.#vectors, scope.filled(wide), this.#biasBuffer(hidden), scores, maxima, shape];
    this.#run(code, inputs, blocks, padded / together);
    const best = await scope.read(maxima, 4 * count * blocks);

    const errors = lists.map((_, q) =>
      float32Error(queries.subarray(q * this.dimensions, (q + 1) * this.dimensions), this.#longest),
    );
    const chosen = lists.map((list, q) =>
      chooseBlocks(list, best.subarray(q * blocks, (q + 1) * blocks), errors[q] as number, k),
    );
    const places = Uint32Array.from(chosen.flatMap((mine, q) => mine.flatMap((block) => [q, block])));
    if (places.length === 0) return;
    const found = scope.storage(2 * places.length * BLOCK_ROWS);
    const gathered = scope.uniform([this.#rows, places.length / 2]);
    this.#run(GATHERING_SHADER, [scores, scope.filled(places), found, gathered], places.length / 2, 1);
    const values = await scope.read(found, 2 * places.length * BLOCK_ROWS);
    for (let at = 0; at < places.length / 2; at++) {
      const [q, block] = [places[2 * at] as number, places[2 * at + 1] as number];
      for (let i = 0; i < BLOCK_ROWS; i++) {
        const value = values[at * BLOCK_ROWS + i] as number;
        if (value > HIDDEN / 2) lists[q]?.push(part, block * BLOCK_ROWS + i, value, errors[q] as number);
      }
    }
  }

  #run(code: string, buffers: readonly GPUBuffer[], groups: number, depth: number): void {
    const { device } = this.#gpu;
    let pipeline = this.#pipelines.get(code);
    if (!pipeline) {
      const compute = { module: device.createShaderModule({ code }), entryPoint: 'main' };
      pipeline = device.createComputePipeline({ layout: 'auto', compute });
      this.#pipelines.set(code, pipeline);
    }
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(Math.min(groups, MAX_WORKGROUPS), Math.ceil(groups / MAX_WORKGROUPS), depth);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  #biasBuffer(hidden: Uint8Array | null): GPUBuffer {
    if (!hidden) return this.#noBias;
    let buffer = this.#biases.get(hidden);
    if (!buffer) {
      const { STORAGE, COPY_DST } = GPUBufferUsage;
      buffer = this.#gpu.device.createBuffer({ size: 4 * hidden.length, usage: STORAGE | COPY_DST });
      this.#gpu.device.queue.writeBuffer(buffer, 0, biasOf(hidden));
      this.#biases.set(hidden, buffer);
    }
    return buffer;
  }

  close(): void {
    this.#vectors.destroy();
    this.#noBias.destroy();
  }
}

/** Buffers of one run, gone when it is over. */
class BufferScope implements Disposable {
  readonly #device: GPUDevice;
  readonly #buffers: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  storage(size: number): GPUBuffer {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    return this.#create(size, STORAGE | COPY_SRC | COPY_DST);
  }

  filled(data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): GPUBuffer {
    const buffer = this.storage(data.byteLength);
    this.#device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  }

  uniform(values: readonly number[]): GPUBuffer {
    const buffer = this.#create(16, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST);
    this.#device.queue.writeBuffer(buffer, 0, Uint32Array.from(values));
    return buffer;
  }

  async read(buffer: GPUBuffer, size: number): Promise<Float32Array> {
    const copy = this.#create(size, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, copy, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    await copy.mapAsync(GPUMapMode.READ);
    return new Float32Array(copy.getMappedRange().slice(0));
  }

  #create(size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const buffer = this.#device.createBuffer({ size, usage });
    this.#buffers.push(buffer);
    return buffer;
  }

  [Symbol.dispose](): void {
    for (const buffer of this.#buffers) buffer.destroy();
  }
}
