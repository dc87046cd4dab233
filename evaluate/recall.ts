/** How many of the queries find what is right among the first k. */
export interface Recall {
  readonly k: number;
  /** 0 to 1. */
  readonly recall: number;
  /** 95 of 100 samples of as many pictures lie in between (bootstrap, percentiles). */
  readonly low: number;
  readonly high: number;
}

export const RECALL_KS = [1, 5, 10] as const;
const ROUNDS = 1000;

/** Hits of the queries of each picture: those of one picture go together, since they are not independent. */
export class RecallCount {
  readonly #queries: Uint32Array;
  readonly #hits: readonly Uint32Array[];

  constructor(pictures: number) {
    this.#queries = new Uint32Array(pictures);
    this.#hits = RECALL_KS.map(() => new Uint32Array(pictures));
  }

  /** `rank`: how many wrong ones are before the right one. */
  add(picture: number, rank: number): void {
    this.#queries[picture] = (this.#queries[picture] ?? 0) + 1;
    RECALL_KS.forEach((k, i) => {
      const hits = this.#hits[i] as Uint32Array;
      if (rank < k) hits[picture] = (hits[picture] ?? 0) + 1;
    });
  }

  get queries(): number {
    return this.#queries.reduce((sum, count) => sum + count, 0);
  }

  /** The same seed gives the same intervals. */
  recalls(seed: number): Recall[] {
    const asked = [...this.#queries.keys()].filter((picture) => (this.#queries[picture] ?? 0) > 0);
    const all = this.#means(asked);
    const random = seeded(seed);
    const draws = Array.from({ length: ROUNDS }, () =>
      this.#means(asked.map(() => asked[Math.floor(random() * asked.length)] as number)),
    );
    return RECALL_KS.map((k, i) => {
      const sorted = draws.map((means) => means[i] as number).sort((a, b) => a - b);
      const at = (part: number): number => sorted[Math.floor(part * (ROUNDS - 1))] as number;
      return { k, recall: all[i] as number, low: at(0.025), high: at(0.975) };
    });
  }

  #means(pictures: readonly number[]): number[] {
    let queries = 0;
    const hits = RECALL_KS.map(() => 0);
    for (const picture of pictures) {
      queries += this.#queries[picture] as number;
      for (let i = 0; i < hits.length; i++)
        hits[i] = (hits[i] as number) + ((this.#hits[i] as Uint32Array)[picture] as number);
    }
    return hits.map((count) => count / queries);
  }
}

/** Numbers from 0 to 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
