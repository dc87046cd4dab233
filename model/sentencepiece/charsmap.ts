/** What the longest known prefix of bytes becomes, and how many bytes it has. */
export interface Replacement {
  readonly bytes: Uint8Array;
  readonly length: number;
}

export type Charsmap = (text: Uint8Array, at: number) => Replacement | undefined;

/**
 * A precompiled charsmap: the size of a trie, a double array of Darts-clone, and texts that end with 0, which its values
 * point into. Throws an Error for what is none.
 */
export function createCharsmap(blob: Uint8Array): Charsmap {
  if (blob.length === 0) return () => undefined;
  const view = new DataView(blob.buffer, blob.byteOffset, blob.length);
  const size = blob.length < 4 ? -1 : view.getUint32(0, true);
  if (size < 4 || size % 4 !== 0 || 4 + size > blob.length)
    throw new Error(`a charsmap of ${blob.length} bytes with a trie of ${size}`);
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const texts = blob.subarray(4 + size);
  const textAt = (start: number): Uint8Array => {
    const end = texts.indexOf(0, start);
    return texts.subarray(start, end < 0 ? texts.length : end);
  };
  return (text, at) => {
    let place = offsetOf(units[0] ?? 0);
    let longest: Replacement | undefined;
    for (let i = at; i < text.length; i++) {
      const byte = text[i] as number;
      place = (place ^ byte) >>> 0;
      const unit = units[place];
      // A label of another byte, or a leaf, whose topmost bit is set.
      if (unit === undefined || (unit & 0x800000ff) !== byte) break;
      place = (place ^ offsetOf(unit)) >>> 0;
      if ((unit >>> 8) & 1) longest = { bytes: textAt((units[place] ?? 0) & 0x7fffffff), length: i + 1 - at };
    }
    return longest;
  };
}

function offsetOf(unit: number): number {
  return ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
}
