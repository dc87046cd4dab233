import { VlmoError } from '#errors.ts';

/** Calls that the rate is measured by. */
const MEASURED_CALLS = 64;
/** The wait before anything was measured. */
const FIRST_WAIT_MS = 1000;
const MIN_WAIT_MS = 100;

/**
 * Lets a bounded number of calls in, so that whoever cannot be answered soon is told so at once, and memory does not grow
 * with those who ask.
 */
export class CallGate {
  readonly #max: number;
  readonly #now: () => number;
  #underWay = 0;
  /** Time with a call under way, until `#since`. */
  #busyMs = 0;
  #since = 0;
  /** The busy time at the ends of the last calls. */
  readonly #ends: number[] = [];

  /** `now` counts milliseconds. */
  constructor(max: number, now: () => number = () => performance.now()) {
    this.#max = max;
    this.#now = now;
  }

  /** The way out, to be called once. Throws ENGINE_BUSY with the wait expected. */
  enter(): () => void {
    if (this.#underWay >= this.#max) throw this.#busy();
    this.#count();
    this.#underWay += 1;
    return () => {
      this.#count();
      this.#underWay -= 1;
      this.#ends.push(this.#busyMs);
      if (this.#ends.length > MEASURED_CALLS) this.#ends.shift();
    };
  }

  #count(): void {
    const now = this.#now();
    if (this.#underWay > 0) this.#busyMs += now - this.#since;
    this.#since = now;
  }

  #busy(): VlmoError {
    const wait = this.#waitMs();
    return new VlmoError(
      'ENGINE_BUSY',
      `Cannot take another call: ${this.#max} are under way; try again in ${(wait / 1000).toFixed(1)} s`,
      { retryAfterMs: wait },
    );
  }

  /** Until those under way are answered, as fast as the last ones were. */
  #waitMs(): number {
    const [first] = this.#ends;
    if (first === undefined) return FIRST_WAIT_MS;
    this.#count();
    // The oldest end begins the time that the others took.
    const calls = Math.max(1, this.#ends.length - 1);
    const span = this.#ends.length > 1 ? this.#busyMs - first : this.#busyMs;
    return Math.max(MIN_WAIT_MS, Math.round((this.#underWay * span) / calls));
  }
}
