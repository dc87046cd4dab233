import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Device } from '#devices/device.ts';
import { VlmoError } from '#errors.ts';
import { makeScratchFolder } from '#scratch-folder.ts';
import type { AddressedRows, Filter } from '#store/contract.ts';
import type { Backend } from './backend.ts';
import { createBackends, segmentType } from './backends.ts';
import { GrowingRows } from './growing-rows.ts';
import { proveBackend } from './known-answers.ts';
import type { SegmentType } from './protocol.ts';
import { maskOf, type RowMask, type Segment } from './row-mask.ts';
import { RowPositions } from './row-positions.ts';
import { buildSegments, type SegmentRows } from './segment-builder.ts';
import { BLOCK_ROWS } from './top-k-graph.ts';

export interface ResidentVectorsOptions {
  readonly device: Device;
  /** [D] */
  readonly dimensions: number;
  /** Rows that are scored here before they make a segment. */
  readonly maxTail?: number;
  /** Rows of a segment at most; as many as the device takes where it is left out. */
  readonly segmentRows?: number;
}

/** Scratch files of vectors on their way to the device. */
const PREFIX = 'vlmo-segments-';
const MAX_TAIL = 1024;
/** More of them are made into fewer, larger ones. */
const MAX_SEGMENTS_MADE_APART = 16;
/** A CPU scores segments best that its cores can share, and batches whose scores stay in its cache. */
const CPU_SEGMENT_ROWS = 65_536;
/** On a GPU, bytes of a segment; CUDA holds it as float32 while it computes. */
const GPU_SEGMENT_BYTES = 2 ** 30;
const MIN_SEGMENT_ROWS = 64 * BLOCK_ROWS;

/**
 * The vectors of a table on a device, kept as the table is. Rows that are new wait in a small tail, which is scored
 * here; many of them make a segment. Rows that are gone are hidden, and segments without any row are dropped.
 *
 *     table ── addresses ──► which rows there are now ──► bias of each segment
 *       └───── vectors ────► new ones: tail, or file ──► segment on a backend (a thread and its device)
 */
export class ResidentVectors implements AsyncDisposable {
  readonly tail = new GrowingRows();
  readonly #table: AddressedRows;
  readonly #options: ResidentVectorsOptions;
  readonly #backends: readonly Backend[];
  readonly #type: SegmentType;
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
    const { provider } = options.device;
    this.#backends = createBackends(provider);
    this.#type = segmentType(provider);
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
    for (const segment of this.#segments) await segment.file.close();
    for (const backend of this.#backends) await backend[Symbol.asyncDispose]();
  }

  async #refresh(): Promise<void> {
    const version = await this.#table.version();
    if (version === this.#version) return;
    const addresses = await this.#table.addresses();
    let missing = this.#book.visit(addresses, () => undefined);
    if (missing.length > (this.#options.maxTail ?? MAX_TAIL)) {
      const fromStart =
        missing.length === addresses.length || this.#segments.length >= MAX_SEGMENTS_MADE_APART;
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
    await proveBackend(this.#backends[0] as Backend, device.provider, dimensions);
    const folder = await makeScratchFolder(tmpdir(), PREFIX);
    const before = new Set(this.#segments);
    try {
      for (;;) {
        try {
          await this.#build(folder, addresses);
          return;
        } catch (error) {
          const isTooLarge = error instanceof VlmoError && error.code === 'SCORING_FAILED';
          if (!isTooLarge || this.#capacity <= MIN_SEGMENT_ROWS) throw error;
          this.#capacity = wholeBlocks(this.#capacity / 2);
          await this.#dropBut(before);
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #build(folder: string, addresses: BigUint64Array | undefined): Promise<void> {
    const { dimensions } = this.#options;
    const options = { folder, dimensions, type: this.#type, capacity: this.#capacity };
    const opened: { readonly segment: Segment; readonly addresses: BigUint64Array }[] = [];
    for await (const rows of buildSegments(this.#table.vectors(addresses), options))
      opened.push({ segment: await this.#open(rows), addresses: rows.addresses });
    // Only when all of them are there: a try that failed leaves no trace.
    for (const { segment, addresses } of opened) this.#book.add(addresses, segment.first);
  }

  async #open({ file, ids, rows }: SegmentRows): Promise<Segment> {
    const number = this.#made++;
    const backend = this.#backends[number % this.#backends.length] as Backend;
    const { dimensions } = this.#options;
    const { folder, location } = file;
    try {
      await backend.open({ segment: number, folder, location, rows, dimensions, type: this.#type });
    } catch (error) {
      await file.close();
      throw error;
    } finally {
      await file.unlink();
    }
    const segment = { number, backend, file, ids, rows, first: this.#positions };
    this.#positions += rows;
    this.#segments.push(segment);
    return segment;
  }

  #view(addresses: BigUint64Array): RowMask | undefined {
    return maskOf({ segments: this.#segments, book: this.#book, tail: this.tail }, addresses);
  }

  async #dropBut(kept: ReadonlySet<Segment>): Promise<void> {
    const dropped = this.#segments.filter((segment) => !kept.has(segment));
    this.#segments = this.#segments.filter((segment) => kept.has(segment));
    for (const { backend, number, file } of dropped) {
      await backend.close(number);
      await file.close();
    }
  }
}

function defaultRows({ device, dimensions }: ResidentVectorsOptions): number {
  if (device.provider === 'cpu') return CPU_SEGMENT_ROWS;
  return wholeBlocks(GPU_SEGMENT_BYTES / ((device.provider === 'webgpu' ? 2 : 4) * dimensions));
}

function wholeBlocks(rows: number): number {
  return Math.max(BLOCK_ROWS, Math.floor(rows / BLOCK_ROWS) * BLOCK_ROWS);
}
