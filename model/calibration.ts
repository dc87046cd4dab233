/** What makes a probability of the log-odds that a model gives a pair (Platt scaling): p = 1 / (1 + exp(-(a odds + b))). */
export interface Calibration {
  readonly a: number;
  readonly b: number;
}

/** Without a calibration the model's own probability, which is called raw. */
export function probabilityOf(odds: number, { a, b }: Calibration = { a: 1, b: 0 }): number {
  return 1 / (1 + Math.exp(-(a * odds + b)));
}
