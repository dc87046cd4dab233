import { z } from 'zod';
import { VlmoError } from '#errors.ts';
import { collectionSchema, nameSchema, textSchema } from '#search/request.ts';
import { problemSchema } from '../errors/problem.ts';
import { sweepUploads } from '../jobs/sweep-uploads.ts';
import type { App, ServerParts } from '../parts.ts';

const removeSchema = z
  .strictObject({
    collection: collectionSchema.default('default'),
    keys: z.array(nameSchema).min(1).max(1000).optional(),
    source: nameSchema.optional().describe('All of a source, or with where only of that'),
    where: textSchema.min(1).optional().describe('As of a search'),
    in: z.enum(['images', 'captions']).optional(),
    max: z.int().min(0).optional().describe('Without keys: the most pictures and captions that may go'),
    dryRun: z.boolean().default(false).describe('Only counts'),
  })
  .refine(
    ({ keys, source, where }) => (keys === undefined) !== (source === undefined && where === undefined),
    'keys; or a source, a filter or both',
  )
  .refine(
    ({ keys, max, dryRun }) => keys !== undefined || max !== undefined || dryRun,
    'max beside a filter or a source: how many may go at most (dryRun counts them)',
  )
  .meta({ id: 'Remove' });
const removedSchema = z
  .object({
    images: z.int(),
    captionsOfImages: z.int().describe('Captions that go with their pictures'),
    captions: z.int(),
    failures: z.int(),
    isWhole: z.boolean(),
    activeRuns: z.array(z.string()).describe('Runs that may store some of it again'),
  })
  .meta({ id: 'Removed' });

type RemoveBody = z.output<typeof removeSchema>;

/** `DELETE /v1/items`: by keys, or by a filter with the most that may go, which is counted first. */
export function addRemove(app: App, { index, uploads }: ServerParts): void {
  app.delete(
    '/v1/items',
    {
      config: { scope: 'admin' },
      schema: {
        tags: ['items'],
        summary: 'Take items out of a collection, with the captions of pictures that go',
        body: removeSchema,
        response: { 200: removedSchema, 409: problemSchema },
      },
    },
    async ({ body, signal }) => {
      const { max, dryRun, ...request } = body;
      if (max !== undefined) requireAtMost(max, await index.remove({ ...request, dryRun: true }, { signal }));
      const { activeRuns, ...counts } = await index.remove({ ...request, dryRun }, { signal });
      if (!dryRun) await sweepUploads(index, uploads);
      return { ...counts, activeRuns: activeRuns.map(({ id }) => id) };
    },
  );
}

type Counts = Pick<z.output<typeof removedSchema>, 'images' | 'captions' | 'captionsOfImages'>;

function requireAtMost(max: NonNullable<RemoveBody['max']>, counts: Counts): void {
  const count = counts.images + counts.captions + counts.captionsOfImages;
  if (count <= max) return;
  const details = { field: 'max', expected: `at least ${count}`, received: String(max) };
  throw new VlmoError(
    'REMOVAL_UNCONFIRMED',
    `Cannot remove items: expected at most ${max} that match, received ${count}; nothing was removed`,
    { details },
  );
}
