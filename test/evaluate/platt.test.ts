import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { calibrationError, fitPlatt, withPrior } from '#evaluate/platt.ts';
import { probabilityOf } from '#model/calibration.ts';
import { seededRandom } from '../fixtures/files.ts';

/** Log-odds whose true scaling is known: right ones around `mean`, wrong ones around its contrary, both of deviation 1. */
function drawn(count: { right: number; wrong: number }, mean: number, seed = 1) {
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const some = (n: number, at: number) => Array.from({ length: n }, () => at + normal());
  return { right: some(count.right, mean), wrong: some(count.wrong, -mean) };
}

describe('fitPlatt', () => {
  test('finds the log-odds of two normal distributions, however many of each were drawn', () => {
    // log(density of right / density of wrong) = 2 mean x.
    for (const count of [
      { right: 20_000, wrong: 20_000 },
      { right: 4000, wrong: 40_000 },
    ]) {
      const { a, b } = fitPlatt(drawn(count, 1));
      assert.ok(Math.abs(a - 2) < 0.1 && Math.abs(b) < 0.06, `${a} ${b}`);
    }
  });

  test('odds that part right from wrong wholly, or are far from 0, give finite numbers', () => {
    const parted = fitPlatt({ right: Array(50).fill(3), wrong: Array(400).fill(-3) });
    assert.ok(parted.a > 0 && Number.isFinite(parted.a) && Number.isFinite(parted.b));
    const { right, wrong } = drawn({ right: 3000, wrong: 3000 }, 1);
    const far = fitPlatt({ right: right.map((x) => 100 * x + 500), wrong: wrong.map((x) => 100 * x + 500) });
    assert.ok(Math.abs(far.a - 0.02) < 0.002 && Math.abs(far.b + 10) < 1, `${far.a} ${far.b}`);
  });

  test('odds that say the contrary give a falling scaling', () => {
    const { right, wrong } = drawn({ right: 500, wrong: 500 }, 1);
    assert.ok(fitPlatt({ right: wrong, wrong: right }).a < 0);
  });
});

describe('calibrationError', () => {
  test('of one bin: the gap of probability and share of right pairs, by the mixture', () => {
    const odds = { right: [0], wrong: [0, 0, 0] };
    assert.ok(calibrationError(odds, 1) < 1e-12);
    assert.ok(Math.abs(calibrationError(odds, 50) - (0.5 - 1 / 51)) < 1e-12);
    assert.ok(calibrationError(odds, 50, withPrior({ a: 1, b: 0 }, 50)) < 1e-12);
  });

  test('of two bins: the gaps of each by what is in it', () => {
    const odds = { right: [Math.log(4)], wrong: [-Math.log(4)] };
    // Right at 0.8 and wrong at 0.2, both 0.2 off.
    assert.ok(Math.abs(calibrationError(odds, 1) - 0.2) < 1e-12);
  });

  test('fitted on some pairs, others are off by less, at 1:1 and at 1:50', () => {
    const [fitted, judged] = [1, 2].map((seed) => {
      const { right, wrong } = drawn({ right: 2000, wrong: 16_000 }, 1, seed);
      // What a model is that is too sure of itself, and leans to yes.
      const worse = (x: number) => 5 * x + 3;
      return { right: right.map(worse), wrong: wrong.map(worse) };
    });
    const calibration = fitPlatt(fitted ?? assert.fail());
    for (const wrongs of [1, 50]) {
      const before = calibrationError(judged ?? assert.fail(), wrongs);
      const now = calibrationError(judged ?? assert.fail(), wrongs, withPrior(calibration, wrongs));
      assert.ok(before > 0.1 && now < 0.02, `${wrongs}: ${before} ${now}`);
    }
  });
});

test('probabilityOf: a logistic curve, the raw one by itself', () => {
  assert.equal(probabilityOf(0), 0.5);
  assert.equal(probabilityOf(-800), 0);
  assert.equal(probabilityOf(800), 1);
  assert.ok(Math.abs(probabilityOf(Math.log(3)) - 0.75) < 1e-15);
  assert.ok(Math.abs(probabilityOf(2, { a: 0.5, b: -1 }) - 0.5) < 1e-15);
});
