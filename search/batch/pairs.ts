import { halfToFloat } from '#float16.ts';
import type { Columns, Row } from '#parquet.ts';
import type { CaptionRecord, GenerationTables } from '#store/contract.ts';
import { pictureKey } from '#store/item-key.ts';
import { ResultParts } from './result-parts.ts';

export interface PairScoring {
  readonly tables: GenerationTables;
  /** Least cosine of the pairs that are marked as kept. */
  readonly threshold: number;
  /** The Parquet file that is written. */
  readonly out: string;
  /** All that decides the results, to tell whether an earlier run over the same file goes on. */
  readonly asked: object;
  /** Stops after the captions in hand. */
  readonly signal: AbortSignal;
  readonly onStart?: (progress: () => PairProgress) => void;
}

export interface PairProgress {
  /** Captions compared with their pictures now, and by an earlier run. */
  readonly scored: number;
  readonly skipped: number;
}

export interface PairSummary extends PairProgress {
  readonly isWhole: boolean;
  readonly kept: number;
  /** Captions of no picture, or of one that is not stored. */
  readonly alone: number;
  /** How many pairs lie in each step of the cosine from -1 to 1; 1 and a little belongs to the last. */
  readonly histogram: readonly number[];
}

/** A row for each caption; those without a stored picture have no score. */
export const PAIR_COLUMNS = {
  caption_id: 'STRING',
  caption_source: 'STRING',
  image_id: 'STRING',
  image_source: 'STRING',
  caption: 'STRING',
  score: 'DOUBLE',
  kept: 'BOOLEAN',
} as const satisfies Columns;

export const HISTOGRAM_STEPS = 40;
const PART_ROWS = 16_384;

/**
 * Scores each picture with its own captions, by the cosine of their stored vectors: what tells captions that fit from those
 * that do not. A run that was stopped or killed goes on where it was. Throws RESULTS_CONFLICT, RESULTS_UNWRITABLE, and
 * what reading the store throws.
 */
export async function scorePairs(scoring: PairScoring): Promise<PairSummary> {
  const { tables, out, asked, signal, onStart } = scoring;
  const parts = await ResultParts.open(out, PAIR_COLUMNS, ['caption_id', 'caption_source'], asked);
  const counts = { scored: 0, skipped: 0 };
  onStart?.(() => ({ ...counts }));
  let rows: Row[] = [];
  for await (const { rows: captions, halves } of tables.captions.scanVectors()) {
    if (signal.aborted) break;
    const width = halves.length / captions.length;
    const fresh = captions.flatMap((row, i) =>
      parts.has(row.id, row.source)
        ? []
        : [{ row, vector: halfToFloat(halves.subarray(i * width, (i + 1) * width)) }],
    );
    counts.skipped += captions.length - fresh.length;
    rows.push(...(await toRows(scoring, fresh)));
    counts.scored += fresh.length;
    if (rows.length < PART_ROWS) continue;
    await parts.write(rows);
    rows = [];
  }
  await parts.write(rows);
  const totals = await addUp(parts);
  if (!signal.aborted) await parts.finish();
  return { ...counts, ...totals, isWhole: !signal.aborted };
}

interface Caption {
  readonly row: CaptionRecord;
  readonly vector: Float32Array;
}

async function toRows({ tables, threshold }: PairScoring, captions: readonly Caption[]): Promise<Row[]> {
  const keys = new Set(captions.flatMap(({ row }) => pictureKey(row) ?? []));
  const pictures = await tables.images.findVectors([...keys]);
  return captions.map(({ row, vector }) => {
    const picture = pictures.get(pictureKey(row) ?? '');
    const score = picture ? vector.reduce((sum, value, i) => sum + value * (picture[i] as number), 0) : null;
    return {
      ...{ caption_id: row.id, caption_source: row.source },
      ...{ image_id: row.imageId, image_source: row.imageSource, caption: row.caption },
      ...{ score, kept: score !== null && score >= threshold },
    };
  });
}

async function addUp(parts: ResultParts): Promise<Pick<PairSummary, 'kept' | 'alone' | 'histogram'>> {
  const histogram = new Array<number>(HISTOGRAM_STEPS).fill(0);
  let [kept, alone] = [0, 0];
  for await (const { score, kept: isKept } of parts.rows(['score', 'kept'])) {
    if (isKept) kept += 1;
    if (typeof score !== 'number') alone += 1;
    else {
      const step = Math.floor(((score + 1) / 2) * HISTOGRAM_STEPS);
      const at = Math.min(HISTOGRAM_STEPS - 1, Math.max(0, step));
      histogram[at] = (histogram[at] ?? 0) + 1;
    }
  }
  return { kept, alone, histogram };
}
