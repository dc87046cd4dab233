import { z } from 'zod';
import { nameSchema, searchAnswerSchema } from '#search/request.ts';
import { problemSchema } from '../errors/problem.ts';
import type { App, ServerParts } from '../parts.ts';
import { searchBodySchema, toSearch } from './search.ts';

const compareSchema = z
  .strictObject({
    generations: z.tuple([nameSchema, nameSchema]).describe('Names of two generations of the collection'),
    search: searchBodySchema,
  })
  .meta({ id: 'Compare' });
const comparedHit = searchAnswerSchema.shape.hits.unwrap().element.extend({
  otherRank: z.int().nullable().describe('Its rank in the other generation; null where it is no hit there'),
});
const comparedSchema = z
  .object({
    generations: z.array(z.object({ generation: z.string(), hits: z.array(comparedHit) })),
    shared: z.int().describe('Hits of both'),
  })
  .meta({ id: 'Compared' });

/** `POST /v1/compare`: one search by two generations, each hit with its rank in the other one. */
export function addCompare(app: App, parts: ServerParts): void {
  const { index } = parts;
  app.post(
    '/v1/compare',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['search'],
        summary: 'One search by two generations, with what differs',
        body: compareSchema,
        response: { 200: comparedSchema, '4xx': problemSchema },
      },
    },
    async (asked) => {
      const { generations, search } = asked.body;
      const { signal } = asked;
      const request = await toSearch(search, asked, parts);
      const answers = await Promise.all(
        generations.map((generation) => index.search(request, { generation, signal })),
      );
      const ranks = answers.map(({ hits }) => new Map(hits.map(({ key, rank }) => [key, rank])));
      const compared = answers.map(({ hits }, i) => ({
        generation: generations[i] ?? '',
        hits: hits.map((hit) => ({ ...hit, otherRank: ranks[1 - i]?.get(hit.key) ?? null })),
      }));
      const shared = compared[0]?.hits.filter(({ otherRank }) => otherRank !== null).length ?? 0;
      return { generations: compared, shared };
    },
  );
}
