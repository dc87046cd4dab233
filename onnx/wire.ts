import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * The wire format of protobuf (https://protobuf.dev/programming-guides/encoding), read from a file field by field: what is
 * skipped is never in memory, so the weights of a graph cost nothing.
 */

const WINDOW_BYTES = 64 * 1024;
const MAX_VARINT_BYTES = 10;

/** One field of a message: its number, and where its bytes lie in the file, or its value where it is a number. */
export interface Field {
  readonly number: number;
  readonly value: number;
  readonly start: number;
  readonly end: number;
}

export class WireFile implements Disposable {
  readonly size: number;
  readonly #file: number;
  readonly #window = Buffer.alloc(WINDOW_BYTES);
  #from = 0;
  #length = 0;

  /** Throws what opening a file throws. */
  constructor(path: string) {
    this.#file = openSync(path, 'r');
    this.size = fstatSync(this.#file).size;
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  /** The fields of the message in [start, end). Throws an Error for what is not a message. */
  *fields(start: number, end: number): Generator<Field> {
    let at = start;
    while (at < end) {
      const [tag, afterTag] = this.#varint(at, end);
      const number = Math.floor(tag / 8);
      if (number < 1 || number > 536_870_911) throw new Error(`a field of number ${number}`);
      const [value, from, to] = this.#extent(tag % 8, afterTag, end);
      if (to > end) throw new Error(`field ${number} of ${to - from} bytes where ${end - from} are left`);
      yield { number, value, start: from, end: to };
      at = to;
    }
  }

  /** Throws an Error where a field is longer than it may be. */
  text({ start, end }: Field, mostBytes: number): string {
    return this.bytes(start, end, mostBytes).toString('utf8');
  }

  bytes(start: number, end: number, most: number): Buffer {
    if (end - start > most) throw new Error(`${end - start} bytes where ${most} are the most`);
    const bytes = Buffer.alloc(end - start);
    if (readSync(this.#file, bytes, 0, bytes.length, start) !== bytes.length)
      throw new Error('a file that ends before');
    return bytes;
  }

  /** The numbers of a repeated field, which may be packed. */
  numbers({ start, end, value }: Field): number[] {
    if (start === end) return [value];
    const found: number[] = [];
    for (let at = start; at < end; ) {
      const [number, next] = this.#varint(at, end);
      found.push(number);
      at = next;
    }
    return found;
  }

  #extent(kind: number, at: number, end: number): [value: number, from: number, to: number] {
    if (kind === 1) return [Number.NaN, at, at + 8];
    if (kind === 5) return [Number.NaN, at, at + 4];
    if (kind !== 0 && kind !== 2) throw new Error(`a field of wire type ${kind}`);
    const [value, from] = this.#varint(at, end);
    return kind === 0 ? [value, from, from] : [value, from, from + value];
  }

  /** Beyond 2 ** 53 not exact, which no length is. */
  #varint(start: number, end: number): [value: number, next: number] {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES && start + i < end; i++) {
      const byte = this.#byte(start + i);
      value += (byte % 128) * 2 ** (7 * i);
      if (byte < 128) return [value, start + i + 1];
    }
    throw new Error('a number without an end');
  }

  #byte(at: number): number {
    if (at < this.#from || at >= this.#from + this.#length) {
      this.#from = at;
      this.#length = readSync(this.#file, this.#window, 0, WINDOW_BYTES, at);
      if (this.#length === 0) throw new Error('a file that ends before');
    }
    return this.#window[at - this.#from] as number;
  }
}
