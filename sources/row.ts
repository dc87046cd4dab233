import type { BrokenItem, Meta } from './item.ts';

/** One row of a manifest: its columns sorted by what they are for, their values as they were read. */
export interface Row {
  /** The line it starts on, from 1. */
  readonly line: number;
  readonly image: unknown;
  readonly id: unknown;
  readonly imageId: unknown;
  readonly captionId: unknown;
  readonly captions: readonly unknown[];
  readonly meta: Meta;
}

/** A row that cannot be understood. */
export interface BrokenRow {
  readonly line: number;
  /** `expected …, received …` */
  readonly broken: string;
}

/** A row that says of itself that it is none to index. */
export interface ListedRow {
  readonly line: number;
  readonly listed: BrokenItem;
}

export type AnyRow = Row | BrokenRow | ListedRow;

export interface RowBatch {
  readonly rows: readonly AnyRow[];
  /** Bytes of the file up to the end of the last row. */
  readonly position: number;
}
