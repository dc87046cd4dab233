import type { Device } from '#devices/device.ts';
import { freeMemory } from '#devices/free-memory.ts';
import { VlmoError } from '#errors.ts';
import type { AddressedRows, Filter } from '#store/contract.ts';
import type { Backend } from './backend.ts';
import { createBackends } from './backends.ts';
import { BLOCK_ROWS } from './blocks.ts';
import { GrowingRows } from './growing-rows.ts';
import { proveBackend } from './known-answers.ts';
import { maskOf, type RowMask, type Segment } from './row-mask.ts';
import { RowPositions } from './row-positions.ts';
import { buildSegments, type SegmentRows } from './segment-builder.ts';

export interface ResidentVectorsOptions {
  readonly device: Device;
  /** [D] */
  readonly dimensions: number;
  /** Rows that are scored here before they make a segment. */
  readonly maxTail?: number;
  /** Rows of a segment at most; as many as the device takes where it is left out. */
  readonly segmentRows?: number;
}

const MAX_TAIL = 1024;
/** More segments that are not full are made into fewer, larger ones. */
const MAX_SEGMENTS_MADE_APART = 16;
/** Bytes of a segment: on the CPU its scores stay in the cache; a GPU has little to do for each. */
const SEGMENT_BYTES = { cpu: 12 * 2 ** 20, webgpu: 2 ** 30, cuda: 2 ** 32 } as const;
/** What is smaller fits any device that one would search on: nobody is asked. */
const ASKED_BYTES = 2 ** 28;
const MIN_SEGMENT_ROWS = 64 * BLOCK_ROWS;
const MAX_CPU_ROWS = 65_536;

/**
 * The vectors of a table on a device, kept as the table is. Rows that are new wait in a small tail, which is scored
 * here; many of them make a segment. Rows that are gone are hidden, and segments without any row are dropped.
 *
 *     table ── addresses ──► which rows there are now ──► mask of each segment
 *       └───── vectors ────► new ones: tail, or shared memory ──► segment on a backend (a thread and its device)
 */
export class ResidentVectors implements AsyncDisposable {
  readonly tail = new GrowingRows();
  readonly #backends: readonly Backend[];
  readonly #table: AddressedRows;
  readonly #options: ResidentVectorsOptions;
  #capacity: number;
  #segments: Segment[] = [];
  #book = new RowPositions();
  #positions = 0;
  #made = 0;
  #version: number | undefined;
  #all: RowMask = { parts: [], tail: undefined };

  constructor(table: AddressedRows, options: ResidentVectorsOptions) {
    this.#table = table;
    this.#options = options;
    this.#backends = createBackends(options.device.provider, options.device.cards);
    this.#capacity = options.segmentRows ?? defaultRows(options);
  }

  /** Every row that is stored now. */
  async all(): Promise<RowMask> {
    await this.#refresh();
    return this.#all;
  }

  /** Every row that matches a filter, now. */
  async matching(where: Filter): Promise<RowMask> {
    for (;;) {
      await this.#refresh();
      const view = this.#view(await this.#table.addresses(where));
      // Rows were written since: they are not here yet.
      if (view) return view;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const backend of this.#backends) await backend[Symbol.asyncDispose]();
  }

  async #refresh(): Promise<void> {
    const version = await this.#table.version();
    if (version === this.#version) return;
    const addresses = await this.#table.addresses();
    let missing = this.#book.visit(addresses, () => undefined);
    if (missing.length > (this.#options.maxTail ?? MAX_TAIL)) {
      const apart = this.#segments.filter(({ rows }) => rows < this.#capacity).length;
      const fromStart = missing.length === addresses.length || apart >= MAX_SEGMENTS_MADE_APART;
      await (fromStart ? this.#rebuild() : this.#append(missing));
      missing = this.#book.visit(addresses, () => undefined);
    }
    await this.tail.hold(this.#table, missing);
    this.#book.keepFragmentsOf(addresses);
    const view = this.#view(addresses);
    if (!view) throw new Error('A corpus lacks rows that it has just read: this is a bug');
    await this.#dropBut(new Set(view.parts.map(({ segment }) => segment)));
    this.#all = { parts: view.parts, tail: undefined };
    this.#version = version;
  }

  async #rebuild(): Promise<void> {
    await this.#dropBut(new Set());
    this.#book = new RowPositions();
    this.#positions = 0;
    await this.#append(undefined);
  }

  /** Makes segments of the rows at these addresses, or of all; smaller ones where the device takes no large ones. */
  async #append(addresses: BigUint64Array | undefined): Promise<void> {
    const { device, dimensions } = this.#options;
    // Each card proves itself; threads of a CPU are all the same.
    const named = device.cards.map((card) => `${device.provider}:${card}`);
    for (const [i, name] of (named.length > 0 ? named : [device.provider]).entries())
      await proveBackend(this.#backends[i] as Backend, name, dimensions);
    await this.#requireRoom(addresses?.length ?? (await this.#table.addresses()).length);
    const before = new Set(this.#segments);
    for (;;) {
      try {
        await this.#build(addresses);
        return;
      } catch (error) {
        await this.#dropBut(before);
        const isTooLarge = error instanceof VlmoError && error.code === 'SCORING_FAILED';
        if (!isTooLarge || this.#capacity <= MIN_SEGMENT_ROWS) throw error;
        this.#capacity = wholeBlocks(this.#capacity / 2);
      }
    }
  }

  /** Throws SCORING_FAILED where the vectors are more than the device has free. */
  async #requireRoom(rows: number): Promise<void> {
    const { device, dimensions } = this.#options;
    const needed = 2 * rows * dimensions;
    if (needed < ASKED_BYTES) return;
    const free = await freeMemory(device.provider);
    if (free === undefined || needed <= free) return;
    throw new VlmoError(
      'SCORING_FAILED',
      `Cannot keep ${rows} vectors on ${device.provider}: expected at most ${gigabytes(free)} free there, received ${gigabytes(needed)}; search with --device cpu, or with --approximate`,
    );
  }

  /** A segment is opened while the next ones are read: one on each backend. */
  async #build(addresses: BigUint64Array | undefined): Promise<void> {
    const options = { dimensions: this.#options.dimensions, capacity: this.#capacity };
    const opening: Promise<void>[] = [];
    const opened: SegmentRows[] = [];
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => {});
    for await (const rows of buildSegments(this.#table.vectors(addresses), options)) {
      opened.push(rows);
      const open = this.#open(rows);
      open.catch(failed.reject);
      opening.push(open);
      if (opening.length > this.#backends.length) await Promise.race([opening.shift(), failed.promise]);
    }
    // Only when all of them are there: a try that failed leaves no trace.
    const ends = await Promise.allSettled(opening);
    const failure = ends.find((end) => end.status === 'rejected');
    if (failure) throw failure.reason;
    const made = this.#segments.slice(this.#segments.length - opened.length);
    made.forEach(({ first }, i) => {
      this.#book.add((opened[i] as SegmentRows).addresses, first);
    });
  }

  async #open({ halves, ids, addresses, rows }: SegmentRows): Promise<void> {
    const number = this.#made++;
    const backend = this.#backends[number % this.#backends.length] as Backend;
    const { dimensions } = this.#options;
    this.#segments.push({ number, backend, halves, ids, addresses, rows, first: this.#positions });
    this.#positions += rows;
    await backend.open({ segment: number, halves, rows, dimensions });
  }

  #view(addresses: BigUint64Array): RowMask | undefined {
    return maskOf({ segments: this.#segments, book: this.#book, tail: this.tail }, addresses);
  }

  async #dropBut(kept: ReadonlySet<Segment>): Promise<void> {
    const dropped = this.#segments.filter((segment) => !kept.has(segment));
    this.#segments = this.#segments.filter((segment) => kept.has(segment));
    for (const { backend, number } of dropped) await backend.close(number);
  }
}

function defaultRows({ device: { provider }, dimensions }: ResidentVectorsOptions): number {
  const rows = wholeBlocks(SEGMENT_BYTES[provider] / (2 * dimensions));
  return provider === 'cpu' ? Math.min(rows, MAX_CPU_ROWS) : rows;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

function wholeBlocks(rows: number): number {
  return Math.max(BLOCK_ROWS, Math.floor(rows / BLOCK_ROWS) * BLOCK_ROWS);
}
