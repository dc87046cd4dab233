import { type Calibration, probabilityOf } from '#model/calibration.ts';

/** Log-odds of pairs that belong together, and of pairs that do not. */
export interface LabelledOdds {
  readonly right: readonly number[];
  readonly wrong: readonly number[];
}

const STEPS = 100;
const ENOUGH = 1e-10;

/**
 * The likeliest scaling where as many pairs are right as wrong (prior 1:1), whatever the numbers of the samples: Newton's
 * method on the logistic loss, with Platt's targets, so that odds which part right from wrong wholly give no infinity.
 */
export function fitPlatt({ right, wrong }: LabelledOdds): Calibration {
  const samples = [
    ...right.map((x) => ({ x, target: (right.length + 1) / (right.length + 2), weight: 0.5 / right.length })),
    ...wrong.map((x) => ({ x, target: 1 / (wrong.length + 2), weight: 0.5 / wrong.length })),
  ];
  const lossOf = (a: number, b: number): number =>
    samples.reduce((sum, { x, target, weight }) => {
      const z = a * x + b;
      return sum + weight * (softplus(z) - target * z);
    }, 0);
  let [a, b] = [0, 0];
  let loss = lossOf(a, b);
  for (let step = 0; step < STEPS; step++) {
    let [ga, gb, haa, hab, hbb] = [0, 0, 1e-12, 0, 1e-12];
    for (const { x, target, weight } of samples) {
      const p = probabilityOf(x, { a, b });
      const [d, h] = [weight * (p - target), weight * p * (1 - p)];
      [ga, gb, haa, hab, hbb] = [ga + d * x, gb + d, haa + h * x * x, hab + h * x, hbb + h];
    }
    const det = haa * hbb - hab * hab;
    const [da, db] = [(hbb * ga - hab * gb) / det, (haa * gb - hab * ga) / det];
    let length = 1;
    while (length > ENOUGH && lossOf(a - length * da, b - length * db) > loss) length /= 2;
    [a, b] = [a - length * da, b - length * db];
    const now = lossOf(a, b);
    if (loss - now < ENOUGH) break;
    loss = now;
  }
  return { a, b };
}

function softplus(z: number): number {
  return z > 0 ? z + Math.log1p(Math.exp(-z)) : Math.log1p(Math.exp(z));
}

const BINS = 15;

/**
 * Expected calibration error: the mean gap between probability and share of right pairs, over 15 bins of probability,
 * where `wrongs` pairs are wrong for each that is right.
 */
export function calibrationError(
  { right, wrong }: LabelledOdds,
  wrongs: number,
  calibration?: Calibration,
): number {
  const gaps = new Float64Array(BINS);
  const count = (odds: readonly number[], isRight: number, weight: number): void => {
    for (const x of odds) {
      const p = probabilityOf(x, calibration);
      const bin = Math.min(Math.floor(p * BINS), BINS - 1);
      gaps[bin] = (gaps[bin] ?? 0) + (weight * (isRight - p)) / odds.length;
    }
  };
  count(right, 1, 1 / (1 + wrongs));
  count(wrong, 0, wrongs / (1 + wrongs));
  return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0);
}

/** The same for a mixture in which so many pairs are wrong for each that is right. */
export function withPrior({ a, b }: Calibration, wrongs: number): Calibration {
  return { a, b: b - Math.log(wrongs) };
}
