import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gpu } from './gpu-device.ts';
import type { OpenTask, Scored, ScoreTask } from './protocol.ts';
import { GATHERING_SHADER, HALVES, MAX_WORKGROUPS, scoringShader } from './scoring-shader.ts';
import { topK } from './top-k.ts';
import { BLOCK_ROWS } from './top-k-graph.ts';

/** Queries that read a row together, where the memory of a workgroup holds them: more gain nothing. */
const QUERIES_TOGETHER = 4;
/** Bytes of scores on the device at a time. */
const SCORE_BYTES = 256 * 2 ** 20;
/** Bytes of a file that are on their way to the device at a time. */
const PIECE_BYTES = 16 * 2 ** 20;

/**
 * A segment in the memory of a GPU, as float16, scored by a kernel of ours: onnxruntime's own on WebGPU stay hundreds of
 * times above the time that reading the vectors takes (docs/benchmarks.md).
 */
export class GpuSegment {
  readonly #gpu: Gpu;
  readonly #rows: number;
  /** Values of a row, and those it has on the device: whole words, filled with zeros. */
  readonly #dimensions: number;
  readonly #width: number;
  readonly #vectors: GPUBuffer;
  /** On the device, by what they were made of: most queries have the same. */
  readonly #biases = new WeakMap<Float32Array, GPUBuffer>();
  readonly #noBias: GPUBuffer;
  readonly #pipelines = new Map<string, GPUComputePipeline>();

  private constructor(gpu: Gpu, rows: number, dimensions: number, width: number) {
    this.#gpu = gpu;
    this.#rows = rows;
    this.#dimensions = dimensions;
    this.#width = width;
    const { STORAGE, COPY_DST } = GPUBufferUsage;
    this.#vectors = gpu.device.createBuffer({ size: 2 * rows * width, usage: STORAGE | COPY_DST });
    this.#noBias = gpu.device.createBuffer({ size: 4, usage: STORAGE });
  }

  /** Loads a file of float16 vectors [rows, dimensions], piece by piece. Throws where it does not fit. */
  static async open(gpu: Gpu, { folder, location, rows, dimensions }: OpenTask): Promise<GpuSegment> {
    const width = Math.ceil(dimensions / HALVES) * HALVES;
    gpu.device.pushErrorScope('validation');
    gpu.device.pushErrorScope('out-of-memory');
    const segment = new GpuSegment(gpu, rows, dimensions, width);
    await segment.#load(join(folder, location));
    for (const scope of ['memory', 'limits']) {
      const error = await gpu.device.popErrorScope();
      if (error) throw new Error(`its ${scope}: ${error.message}`);
    }
    return segment;
  }

  async #load(path: string): Promise<void> {
    await using file = await open(path);
    const { queue } = this.#gpu.device;
    const step = Math.max(1, Math.floor(PIECE_BYTES / (2 * this.#width)));
    for (let row = 0; row < this.#rows; row += step) {
      const count = Math.min(step, this.#rows - row);
      const halves = new Uint16Array(count * this.#dimensions);
      const bytes = new Uint8Array(halves.buffer);
      await file.read(bytes, 0, bytes.length, row * this.#dimensions * 2);
      queue.writeBuffer(this.#vectors, row * this.#width * 2, this.#widened(halves, count));
      // Not more than a piece waits in the driver.
      await queue.onSubmittedWorkDone();
    }
  }

  #widened(halves: Uint16Array<ArrayBuffer>, count: number): Uint16Array<ArrayBuffer> {
    if (this.#width === this.#dimensions) return halves;
    const wide = new Uint16Array(count * this.#width);
    for (let row = 0; row < count; row++)
      wide.set(halves.subarray(row * this.#dimensions, (row + 1) * this.#dimensions), row * this.#width);
    return wide;
  }

  /** The k best rows for each query [Q, D]: every score on the device, the best blocks of it here. */
  async score({ queries, k: asked, bias }: Pick<ScoreTask, 'queries' | 'k' | 'bias'>): Promise<Scored> {
    const count = queries.length / this.#dimensions;
    const k = Math.min(asked, this.#rows);
    const scored = { k, values: new Float32Array(count * k), rows: new Int32Array(count * k) };
    const most = Math.max(1, Math.floor(SCORE_BYTES / (4 * this.#rows)));
    for (let at = 0; at < count; at += most) {
      const some = queries.subarray(at * this.#dimensions, (at + most) * this.#dimensions);
      await this.#scoreSome(some, k, bias, scored.values.subarray(at * k), scored.rows.subarray(at * k));
    }
    return scored;
  }

  async #scoreSome(
    queries: Float32Array,
    k: number,
    bias: Float32Array | null,
    values: Float32Array,
    rows: Int32Array,
  ): Promise<void> {
    const blocks = this.#rows / BLOCK_ROWS;
    const count = queries.length / this.#dimensions;
    const fitting = Math.floor(this.#gpu.sharedBytes / (4 * (this.#width + BLOCK_ROWS)));
    const together = Math.max(1, Math.min(QUERIES_TOGETHER, fitting, count));
    // The kernel takes whole groups of queries; those that fill up the last one are zeros.
    const padded = Math.ceil(count / together) * together;
    using scope = new BufferScope(this.#gpu.device);
    const wide = new Float32Array(padded * this.#width);
    for (let q = 0; q < count; q++)
      wide.set(queries.subarray(q * this.#dimensions, (q + 1) * this.#dimensions), q * this.#width);
    const scores = scope.storage(4 * padded * this.#rows);
    const maxima = scope.storage(4 * padded * blocks);
    const shape = scope.uniform([this.#rows, bias ? 1 : 0]);
    const code = scoringShader(together, this.#width);
    const inputs = [this.#vectors, scope.filled(wide), this.#biasBuffer(bias), scores, maxima, shape];
    this.#run(code, inputs, blocks, padded / together);
    const best = await scope.read(maxima, 4 * count * blocks);

    const chosen = Math.min(k, blocks);
    const places = new Uint32Array(count * chosen);
    for (let q = 0; q < count; q++)
      places.set(topK(best.subarray(q * blocks, (q + 1) * blocks), chosen), q * chosen);
    const found = scope.storage(4 * places.length * BLOCK_ROWS);
    const gathered = scope.uniform([this.#rows, chosen, places.length]);
    this.#run(GATHERING_SHADER, [scores, scope.filled(places), found, gathered], places.length, 1);
    const candidates = await scope.read(found, 4 * places.length * BLOCK_ROWS);

    for (let q = 0; q < count; q++) {
      const mine = candidates.subarray(q * chosen * BLOCK_ROWS, (q + 1) * chosen * BLOCK_ROWS);
      topK(mine, k).forEach((place, i) => {
        values[q * k + i] = mine[place] as number;
        const block = places[q * chosen + Math.floor(place / BLOCK_ROWS)] as number;
        rows[q * k + i] = block * BLOCK_ROWS + (place % BLOCK_ROWS);
      });
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

  #biasBuffer(bias: Float32Array | null): GPUBuffer {
    if (!bias) return this.#noBias;
    let buffer = this.#biases.get(bias);
    if (!buffer) {
      const { STORAGE, COPY_DST } = GPUBufferUsage;
      buffer = this.#gpu.device.createBuffer({ size: bias.byteLength, usage: STORAGE | COPY_DST });
      this.#gpu.device.queue.writeBuffer(buffer, 0, Float32Array.from(bias));
      this.#biases.set(bias, buffer);
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
