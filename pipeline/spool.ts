/** A place in the spool: one picture, from before it is asked for until it is decoded. */
export interface Place {
  /** Resolves when so many bytes of it may be held in all; undefined where they may be at once. */
  room(bytes: number): Promise<void> | undefined;
  /** All of it is there, so many bytes: it needs no more room. */
  arrived(bytes: number): void;
  /** It is held no longer. */
  leave(): void;
}

export interface SpoolLimits {
  /** Pictures. */
  readonly places: number;
  readonly bytes: number;
}

interface Held extends Place {
  bytes: number;
  isArriving: boolean;
  /** What it waits for. */
  wanted: { readonly bytes: number; readonly grant: () => void } | undefined;
}

/**
 * Holds pictures in memory that were downloaded and are not decoded yet, bounded in number and bytes.
 *
 *     enter ──► arriving, oldest first ──► arrived, waits for its batch ──► leave
 *
 * Where nothing has arrived that could leave, the oldest gets what it needs in any case, so that not all wait for each other:
 * the limit of bytes holds but for one picture.
 */
export class Spool {
  readonly #limits: SpoolLimits;
  /** In the order in which they came. */
  readonly #held = new Set<Held>();
  readonly #doors: (() => void)[] = [];
  readonly #onFull = new Set<() => void>();
  #bytes = 0;
  /** Who waits for room. */
  #waiting = 0;

  constructor(limits: SpoolLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether somebody waits for room or a place. */
  get isFull(): boolean {
    return this.#doors.length > 0 || this.#waiting > 0;
  }

  /** Whoever holds pictures back for others to join them is told when somebody waits for room. */
  whenFull(listener: () => void): Disposable {
    this.#onFull.add(listener);
    return { [Symbol.dispose]: () => this.#onFull.delete(listener) };
  }

  async enter(): Promise<Place> {
    while (this.#held.size >= this.#limits.places) {
      const open = new Promise<void>((resolve) => this.#doors.push(resolve));
      this.#tellFull();
      await open;
    }
    const held: Held = {
      ...{ bytes: 0, isArriving: true, wanted: undefined },
      room: (bytes) => this.#room(held, bytes),
      arrived: (bytes) => {
        held.isArriving = false;
        this.#take(held, bytes);
        this.#serve();
      },
      leave: () => this.#leave(held),
    };
    this.#held.add(held);
    return held;
  }

  #room(held: Held, bytes: number): Promise<void> | undefined {
    if (bytes <= held.bytes) return undefined;
    if (this.#fits(held, bytes)) {
      this.#take(held, bytes);
      return undefined;
    }
    const waiting = new Promise<void>((grant) => {
      this.#waiting += 1;
      held.wanted = { bytes, grant };
    });
    this.#tellFull();
    return waiting;
  }

  #fits(held: Held, bytes: number): boolean {
    return this.#bytes + bytes - held.bytes <= this.#limits.bytes || held === this.#first();
  }

  /** The oldest, where all are arriving. */
  #first(): Held | undefined {
    const [first] = this.#held;
    for (const { isArriving } of this.#held) if (!isArriving) return undefined;
    return first;
  }

  #take(held: Held, bytes: number): void {
    this.#bytes += bytes - held.bytes;
    held.bytes = bytes;
  }

  #leave(held: Held): void {
    if (!this.#held.delete(held)) return;
    this.#bytes -= held.bytes;
    if (held.wanted) this.#grant(held);
    this.#serve();
    this.#doors.shift()?.();
  }

  /** Gives room to who waits for it, the oldest first, as far as there is. */
  #serve(): void {
    for (const held of this.#held) {
      const { wanted } = held;
      if (!wanted) continue;
      if (!this.#fits(held, wanted.bytes)) return;
      this.#take(held, wanted.bytes);
      this.#grant(held);
    }
  }

  #grant(held: Held): void {
    this.#waiting -= 1;
    held.wanted?.grant();
    held.wanted = undefined;
  }

  #tellFull(): void {
    for (const listener of this.#onFull) listener();
  }
}
