/** Where rows are by their addresses: a number for each place of a fragment, 4 bytes a row. */
export class RowPositions {
  readonly #fragments = new Map<number, Int32Array>();

  /** Notes that these addresses are at `first`, `first + 1` and so on. */
  add(addresses: BigUint64Array, first: number): void {
    each(addresses, (fragment, place, index) => {
      let positions = this.#fragments.get(fragment);
      if (!positions || place >= positions.length) {
        positions = grown(positions, place + 1);
        this.#fragments.set(fragment, positions);
      }
      positions[place] = first + index;
    });
  }

  /** Calls back with the position of each address that is known; gives those that are not. */
  visit(addresses: BigUint64Array, known: (position: number) => void): BigUint64Array {
    const missing: bigint[] = [];
    each(addresses, (fragment, place, index) => {
      const position = this.#fragments.get(fragment)?.[place] ?? NONE;
      if (position === NONE) missing.push(addresses[index] as bigint);
      else known(position);
    });
    return BigUint64Array.from(missing);
  }

  /** Forgets all fragments but those of these addresses. */
  keepFragmentsOf(addresses: BigUint64Array): void {
    const kept = new Set<number>();
    each(addresses, (fragment) => kept.add(fragment));
    for (const fragment of this.#fragments.keys()) if (!kept.has(fragment)) this.#fragments.delete(fragment);
  }
}

const NONE = -1;

/** Addresses are taken apart as 32-bit numbers, little-endian: arithmetic on bigints is many times slower. */
function each(
  addresses: BigUint64Array,
  visit: (fragment: number, place: number, index: number) => void,
): void {
  const halves = new Uint32Array(addresses.buffer, addresses.byteOffset, 2 * addresses.length);
  for (let index = 0; index < addresses.length; index++)
    visit(halves[2 * index + 1] as number, halves[2 * index] as number, index);
}

function grown(old: Int32Array | undefined, least: number): Int32Array {
  const larger = new Int32Array(Math.max(1024, 2 * least)).fill(NONE);
  if (old) larger.set(old);
  return larger;
}
