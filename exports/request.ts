import { z } from 'zod';
import { collectionSchema, nameSchema, textSchema } from '#search/request.ts';

export const LAYOUTS = ['clip-retrieval', 'parquet', 'arrow', 'jsonl', 'npy'] as const;
export type Layout = (typeof LAYOUTS)[number];

export const MAX_PART_ROWS = 1_000_000;

export const exportRequestSchema = z.strictObject({
  to: z.enum(LAYOUTS),
  /** The folder that is written: new, empty, or one of the same export that was stopped. */
  out: nameSchema,
  collection: collectionSchema.default('default'),
  /** A generation of the collection in place of the one that serves. */
  generation: nameSchema.optional(),
  /** Only these; left out, both, and the pictures alone beside `where` and in the layout of clip-retrieval. */
  in: z.enum(['images', 'captions']).optional(),
  where: textSchema.optional(),
  /** Rows of a file at most. */
  partRows: z.int().min(1).max(MAX_PART_ROWS).default(100_000),
  /** What could not be stored too. */
  failures: z.boolean().default(false),
});

export type ExportRequest = z.input<typeof exportRequestSchema>;
export type Export = z.output<typeof exportRequestSchema>;
