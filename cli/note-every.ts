import { note } from './output.ts';

const INTERVAL_MS = 10_000;

/** Says how far a long step is, every ten seconds, until disposed of. */
export function noteEvery(text: () => string): Disposable {
  const timer = setInterval(() => note(text()), INTERVAL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
