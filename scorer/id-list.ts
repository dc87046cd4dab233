import { fromWellFormed, toWellFormed } from '#well-formed.ts';

/** Many ids in two buffers outside the JavaScript heap, where a million strings would cost several times as much. */
export class IdList {
  #bytes = Buffer.alloc(4096);
  #ends = new Uint32Array(256);
  #count = 0;

  get length(): number {
    return this.#count;
  }

  push(text: string): void {
    const id = toWellFormed(text);
    const start = this.#end(this.#count - 1);
    const needed = start + Buffer.byteLength(id);
    if (needed > this.#bytes.length) this.#bytes = grown(this.#bytes, Buffer.alloc(2 * needed));
    if (this.#count === this.#ends.length)
      this.#ends = grown(this.#ends, new Uint32Array(2 * this.#ends.length));
    this.#bytes.write(id, start);
    this.#ends[this.#count++] = needed;
  }

  at(index: number): string {
    return fromWellFormed(this.#bytes.toString('utf8', this.#end(index - 1), this.#end(index)));
  }

  #end(index: number): number {
    return index < 0 ? 0 : (this.#ends[index] ?? 0);
  }
}

function grown<T extends Uint8Array | Uint32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
