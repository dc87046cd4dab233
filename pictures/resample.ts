/**
 * Pillow's resize of 8-bit pictures, bit for bit (Pillow's Resample.c): the kernel widened when shrinking, coefficients in
 * fixed point, a rounded 8-bit result between the two passes.
 */

/** A picture in memory: rows of pixels, channels side by side, [height, width, channels]. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

const CUBIC_A = -0.5;
/** Bits behind the point of a coefficient: 32 less 8 for the value and 2 for sums beyond 255. */
const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

/** How far a kernel reaches to each side, and its value at a distance. */
interface Kernel {
  readonly support: number;
  at(distance: number): number;
}

const KERNELS = {
  bilinear: { support: 1, at: (distance) => Math.max(0, 1 - Math.abs(distance)) },
  /** Cubic convolution with a = -0.5. */
  bicubic: { support: 2, at: cubic },
  lanczos: {
    support: 3,
    at: (distance) => (Math.abs(distance) < 3 ? sinc(distance) * sinc(distance / 3) : 0),
  },
} as const satisfies Record<string, Kernel>;

export type Filter = keyof typeof KERNELS;

/** Resizes without keeping the aspect ratio: [h, w, C] -> [height, width, C]. */
export function resize(source: Pixels, width: number, height: number, filter: Filter): Pixels {
  const kernel = KERNELS[filter];
  const rows = makeTaps(source.height, height, kernel);
  // Only the rows that the vertical pass reads are worth resizing.
  const first = rows.starts[0] ?? 0;
  const last = (rows.starts.at(-1) ?? 0) + (rows.counts.at(-1) ?? 0);
  const narrow = width === source.width ? source : resizeRows(source, width, first, last, kernel);
  return height === source.height ? narrow : resizeColumns(narrow, height, rows);
}

/** For every target position: where its source elements start, how many there are, and their weights. */
interface Taps {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** Weights of position i at [i * most, i * most + counts[i]). */
  readonly weights: Int32Array;
  readonly most: number;
}

function makeTaps(source: number, target: number, kernel: Kernel): Taps {
  const scale = source / target;
  const widening = Math.max(scale, 1);
  const reach = kernel.support * widening;
  const most = Math.ceil(reach) * 2 + 1;
  const taps = {
    starts: new Int32Array(target),
    counts: new Int32Array(target),
    weights: new Int32Array(target * most),
    most,
  };
  const exact = new Float64Array(most);
  for (let i = 0; i < target; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const count = Math.min(source, Math.trunc(center + reach + 0.5)) - start;
    let sum = 0;
    for (let t = 0; t < count; t++) {
      const weight = kernel.at((t + start - center + 0.5) / widening);
      exact[t] = weight;
      sum += weight;
    }
    for (let t = 0; t < count; t++) taps.weights[i * most + t] = toFixed((exact[t] ?? 0) / sum);
    taps.starts[i] = start;
    taps.counts[i] = count;
  }
  return taps;
}

function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * CUBIC_A;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function toFixed(weight: number): number {
  const scaled = weight * (1 << PRECISION);
  return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

/** The horizontal pass, on the rows [first, last). */
function resizeRows(source: Pixels, width: number, first: number, last: number, kernel: Kernel): Pixels {
  const taps = makeTaps(source.width, width, kernel);
  const { channels, height } = source;
  const data = new Uint8Array(height * width * channels);
  for (let y = first; y < last; y++) {
    const from = y * source.width * channels;
    const to = y * width * channels;
    if (channels === 3) resizeRgbRow(source.data, from, data, to, taps);
    else
      for (let c = 0; c < channels; c++)
        resizeChannelRow(source.data, from + c, data, to + c, taps, channels);
  }
  return { data, width, height, channels };
}

/** One row of all three channels at once: each weight is read once, twice as fast as channel by channel. */
function resizeRgbRow(source: Uint8Array, from: number, target: Uint8Array, to: number, taps: Taps): void {
  const { starts, counts, weights, most } = taps;
  for (let x = 0; x < starts.length; x++) {
    let [r, g, b] = [HALF, HALF, HALF];
    let at = from + (starts[x] as number) * 3;
    const end = x * most + (counts[x] as number);
    for (let w = x * most; w < end; w++, at += 3) {
      const weight = weights[w] as number;
      r = (r + (source[at] as number) * weight) | 0;
      g = (g + (source[at + 1] as number) * weight) | 0;
      b = (b + (source[at + 2] as number) * weight) | 0;
    }
    target[to + 3 * x] = toByte(r);
    target[to + 3 * x + 1] = toByte(g);
    target[to + 3 * x + 2] = toByte(b);
  }
}

function resizeChannelRow(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  taps: Taps,
  step: number,
): void {
  const { starts, counts, weights, most } = taps;
  for (let x = 0; x < starts.length; x++) {
    let sum = HALF;
    const start = from + (starts[x] as number) * step;
    for (let t = 0; t < (counts[x] as number); t++) {
      sum = (sum + (source[start + t * step] as number) * (weights[x * most + t] as number)) | 0;
    }
    target[to + x * step] = toByte(sum);
  }
}

/** The vertical pass: a weighted sum of whole rows at a time, which reads memory in order. */
function resizeColumns(source: Pixels, height: number, { starts, counts, weights, most }: Taps): Pixels {
  const { data, width, channels } = source;
  const length = width * channels;
  const result = new Uint8Array(height * length);
  const sums = new Int32Array(length);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let t = 0; t < (counts[y] as number); t++) {
      const weight = weights[y * most + t] as number;
      const row = ((starts[y] as number) + t) * length;
      for (let i = 0; i < length; i++) sums[i] = (sums[i] as number) + (data[row + i] as number) * weight;
    }
    for (let i = 0; i < length; i++) result[y * length + i] = toByte(sums[i] as number);
  }
  return { data: result, width, height, channels };
}

function toByte(sum: number): number {
  return Math.min(255, Math.max(0, sum >> PRECISION));
}
