import { z } from 'zod';
import { collectionSchema, nameSchema, textSchema } from '#search/request.ts';

/** More are a filter's business. */
const MAX_KEYS = 1000;

/** What is to be taken out of a collection: an item, or all of a source, of a filter, or of the collection. */
export const removeRequestSchema = z
  .strictObject({
    collection: collectionSchema.default('default'),
    id: nameSchema.optional(),
    /** Beside an id, the source that has it. */
    source: nameSchema.optional(),
    key: nameSchema.optional(),
    keys: z.array(nameSchema).min(1).max(MAX_KEYS).optional(),
    /** As of a search; may stand beside a source. */
    where: textSchema.optional(),
    all: z.boolean().default(false),
    /** Left out, both; with a filter, images. The captions of a picture go with it in any case. */
    in: z.enum(['images', 'captions']).optional(),
    /** Only counts. */
    dryRun: z.boolean().default(false),
  })
  .refine(
    ({ id, key, keys, source, where, all }) => {
      const isPart = where !== undefined || (source !== undefined && id === undefined);
      return (
        [id, key, keys].filter((one) => one !== undefined).length + [isPart, all].filter(Boolean).length === 1
      );
    },
    { error: 'an id; a key or keys; a source, a filter or both; or all' },
  );

export type RemoveRequest = z.input<typeof removeRequestSchema>;
export type Remove = z.output<typeof removeRequestSchema>;
