/** A 64-bit hash as two unsigned 32-bit halves. Reused by every call of one hash: read it before the next call. */
export interface Hash64 {
  high: number;
  low: number;
}

/** The secret of a hash: two 32-bit words. */
export type HashKey = readonly [number, number];

/**
 * HalfSipHash-2-4 with a 64-bit result over the UTF-16 code units of a string (low byte first).
 *
 * A keyed hash on purpose: faster ones such as MurmurHash have sets of strings that collide under every seed, so that
 * a prepared manifest could make pictures vanish as "seen already". All of it is 32-bit arithmetic, which JavaScript
 * does without allocating.
 *
 * Source: Aumasson and Bernstein, SipHash; the reference implementation is halfsiphash.c of github.com/veorq/SipHash.
 */
export function keyedHash(text: string, key: HashKey, into: Hash64): Hash64 {
  let v0 = key[0];
  let v1 = key[1] ^ 0xee;
  let v2 = 0x6c796765 ^ key[0];
  let v3 = 0x74656462 ^ key[1];

  const units = text.length;
  const words = (units >>> 1) + 1;
  for (let index = 0; index < words; index++) {
    const at = index * 2;
    // The last word holds the odd code unit, if there is one, and the length in bytes in its top byte.
    const word =
      index < words - 1
        ? text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16)
        : ((units * 2) << 24) | (at < units ? text.charCodeAt(at) : 0);
    v3 ^= word;
    for (let round = 0; round < 2; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }

  v2 ^= 0xee;
  for (let round = 0; round < 8; round++) {
    if (round === 4) {
      into.low = (v1 ^ v3) >>> 0;
      v1 ^= 0xdd;
    }
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  into.high = (v1 ^ v3) >>> 0;
  return into;
}
