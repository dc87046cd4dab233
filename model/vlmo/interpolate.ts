import { gridOfTable, imageRows } from './relative-position.ts';

/** What a model learned for one grid of patches, resized to another; used when a model is imported for a new size. */

type Grid = readonly [number, number];

/** PyTorch's cubic convolution coefficient, which the official code resizes position embeddings with. */
const CUBIC_A = -0.75;

/** `pos_embed` [1, 1 + gh gw, D] for another grid: [CLS] kept, the rest bicubic, corners not aligned. */
export function resizePositionEmbedding(
  values: Float32Array,
  width: number,
  from: Grid,
  to: Grid,
): Float32Array {
  const result = new Float32Array((1 + to[0] * to[1]) * width);
  result.set(values.subarray(0, width));
  const patches = values.subarray(width);
  const rows = resizeAxis(patches, { outer: 1, length: from[0], inner: from[1] * width }, to[0]);
  const both = resizeAxis(rows, { outer: to[0], length: from[1], inner: width }, to[1]);
  result.set(both, width);
  return result;
}

/** The relative position table [R, columns] for another grid: the picture's part resized, the other rows kept. */
export function resizeRelativeTable(values: Float32Array, columns: number, to: Grid): Float32Array {
  const from = gridOfTable(values.length / columns);
  if (!from) throw new Error(`No grid has a table of ${values.length / columns} rows: this is a bug`);
  const [fromHeight, fromWidth] = from.map((side) => 2 * side - 1) as [number, number];
  const [toHeight, toWidth] = to.map((side) => 2 * side - 1) as [number, number];
  const pictureEnd = fromHeight * fromWidth * columns;
  const rows = applyMatrix(
    values.subarray(0, pictureEnd),
    { outer: 1, length: fromHeight, inner: fromWidth * columns },
    geometricSpline(fromHeight, toHeight),
  );
  const both = applyMatrix(
    rows,
    { outer: toHeight, length: fromWidth, inner: columns },
    geometricSpline(fromWidth, toWidth),
  );
  const kept = values.subarray(pictureEnd);
  const result = new Float32Array(both.length + kept.length);
  result.set(both);
  result.set(kept, both.length);
  if (result.length !== (values.length / columns - imageRows(from) + imageRows(to)) * columns) {
    throw new Error('A resized table has the wrong size: this is a bug');
  }
  return result;
}

/** A tensor seen as [outer, length, inner], of which the middle axis is worked on. */
interface Axis {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

function resizeAxis(values: Float32Array, axis: Axis, target: number): Float32Array {
  const weights = Array.from({ length: target }, (_, i) =>
    cubicWeights(((i + 0.5) * axis.length) / target - 0.5, axis.length),
  );
  return applyMatrix(values, axis, weights);
}

/** Weights of every source element for one position, cubic convolution over four neighbours, edges repeated. */
function cubicWeights(position: number, length: number): Float64Array {
  const weights = new Float64Array(length);
  const base = Math.floor(position);
  for (let tap = -1; tap <= 2; tap++) {
    const x = Math.abs(position - (base + tap));
    const weight =
      x <= 1
        ? ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1
        : ((CUBIC_A * x - 5 * CUBIC_A) * x + 8 * CUBIC_A) * x - 4 * CUBIC_A;
    const index = Math.min(length - 1, Math.max(0, base + tap));
    weights[index] = (weights[index] ?? 0) + weight;
  }
  return weights;
}

/**
 * Weights that take values known at the geometrically spaced distances 0, ±1, ±(1 + q), ±(1 + q + q²), … to the whole
 * distances of the target, by the interpolating cubic spline (not-a-knot, as FITPACK's). The q is the one whose
 * outermost distance is the target's.
 */
function geometricSpline(source: number, target: number): Float64Array[] {
  const reach = (source - 1) / 2;
  const wanted = (target - 1) / 2;
  const positive = distances(ratio(reach, wanted), reach);
  const knots = [...positive.toReversed().map((x) => -x), 0, ...positive];
  const columns = knots.map((_, j) =>
    spline(
      knots,
      knots.map((__, i) => (i === j ? 1 : 0)),
    ),
  );
  const edge = knots.at(-1) ?? 0;
  const inside = (at: number): number => Math.min(edge, Math.max(-edge, at));
  return Array.from({ length: target }, (_, i) =>
    Float64Array.from(columns, (column) => column(inside(i - wanted))),
  );
}

/** The sums 1, 1 + q, 1 + q + q², …, `count` of them. */
function distances(q: number, count: number): number[] {
  const sums: number[] = [];
  for (let i = 0; i < count; i++) sums.push((sums.at(-1) ?? 0) + q ** i);
  return sums;
}

/** The q for which 1 + q + … + q^(count - 1) = wanted, by bisection; whole distances where there is none above 0. */
function ratio(count: number, wanted: number): number {
  if (count < 2 || wanted <= 1) return 1;
  let [low, high] = [0, Math.max(2, wanted)];
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if ((distances(middle, count).at(-1) ?? 0) > wanted) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

/** The cubic spline through (x, y) with the not-a-knot condition; below four points the polynomial through them. */
function spline(x: readonly number[], y: readonly number[]): (at: number) => number {
  const n = x.length;
  if (n < 4) return polynomial(x, y);
  const X = (i: number): number => x[i] ?? Number.NaN;
  const Y = (i: number): number => y[i] ?? Number.NaN;
  const h = (i: number): number => X(i + 1) - X(i);
  // Unknown second derivatives m_0 … m_(n-1): continuity of the slope inside, equal third derivatives at both ends.
  const rows = Array.from({ length: n }, () => new Float64Array(n + 1));
  const set = (row: number, entries: readonly (readonly [number, number])[]): void => {
    for (const [column, value] of entries) (rows[row] as Float64Array)[column] = value;
  };
  set(0, [
    [0, h(1)],
    [1, -(h(0) + h(1))],
    [2, h(0)],
  ]);
  set(n - 1, [
    [n - 3, h(n - 2)],
    [n - 2, -(h(n - 3) + h(n - 2))],
    [n - 1, h(n - 3)],
  ]);
  for (let i = 1; i < n - 1; i++) {
    const slope = 6 * ((Y(i + 1) - Y(i)) / h(i) - (Y(i) - Y(i - 1)) / h(i - 1));
    set(i, [
      [i - 1, h(i - 1)],
      [i, 2 * (h(i - 1) + h(i))],
      [i + 1, h(i)],
      [n, slope],
    ]);
  }
  const m = solve(rows);
  return (at) => {
    let i = 0;
    while (i < n - 2 && at > X(i + 1)) i++;
    const [a, b] = [X(i + 1) - at, at - X(i)];
    const [low, high] = [m[i] ?? 0, m[i + 1] ?? 0];
    return (
      (low * a ** 3 + high * b ** 3) / (6 * h(i)) +
      (Y(i) / h(i) - (low * h(i)) / 6) * a +
      (Y(i + 1) / h(i) - (high * h(i)) / 6) * b
    );
  };
}

function polynomial(x: readonly number[], y: readonly number[]): (at: number) => number {
  return (at) =>
    x.reduce((sum, xi, i) => {
      const basis = x.reduce((product, xj, j) => (i === j ? product : (product * (at - xj)) / (xi - xj)), 1);
      return sum + basis * (y[i] ?? 0);
    }, 0);
}

/** Gaussian elimination with row exchange on [n, n + 1]; n is at most some dozens here. */
function solve(rows: Float64Array[]): Float64Array {
  const n = rows.length;
  const cell = (r: number, c: number): number => rows[r]?.[c] ?? 0;
  for (let c = 0; c < n; c++) {
    let pivot = c;
    for (let r = c + 1; r < n; r++) if (Math.abs(cell(r, c)) > Math.abs(cell(pivot, c))) pivot = r;
    [rows[c], rows[pivot]] = [rows[pivot] as Float64Array, rows[c] as Float64Array];
    for (let r = 0; r < n; r++) {
      if (r === c) continue;
      const factor = cell(r, c) / cell(c, c);
      if (factor !== 0)
        for (let k = c; k <= n; k++) (rows[r] as Float64Array)[k] = cell(r, k) - factor * cell(c, k);
    }
  }
  return Float64Array.from({ length: n }, (_, i) => cell(i, n) / cell(i, i));
}

/** result[o, t, i] = Σ_s weights[t][s] values[o, s, i]. */
function applyMatrix(
  values: Float32Array,
  { outer, length, inner }: Axis,
  weights: readonly Float64Array[],
): Float32Array {
  const result = new Float32Array(outer * weights.length * inner);
  for (let o = 0; o < outer; o++) {
    weights.forEach((row, t) => {
      for (let i = 0; i < inner; i++) {
        let sum = 0;
        for (let s = 0; s < length; s++) sum += (row[s] ?? 0) * (values[(o * length + s) * inner + i] ?? 0);
        result[(o * weights.length + t) * inner + i] = sum;
      }
    });
  }
  return result;
}
