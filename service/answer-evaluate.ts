import { VlmoError } from '#errors.ts';
import { evaluateSplit, MIN_RERANK } from '#evaluate/evaluate.ts';
import { knownSplit } from '#evaluate/known-splits.ts';
import { PUBLISHED } from '#evaluate/published.ts';
import { readSplit, type Split } from '#evaluate/read-split.ts';
import { activeTables } from '#search/active-tables.ts';
import type { EvaluateOptions, Evaluation, MissingItems } from './contract.ts';
import type { IndexParts } from './index-parts.ts';
import { splitFilter } from './split-filter.ts';

/** How many are read again in the published evaluations of most models. */
const USUAL_RERANK = 32;

/** Retrieval over what a collection stores; see `evaluateSplit`. */
export async function answerEvaluate(
  { store, generations }: IndexParts,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { collection = 'default', where, rerank, partial = false, seed = 1, onStart } = options;
  const { signal = new AbortController().signal } = options;
  if (rerank !== undefined && rerank < MIN_RERANK) {
    throw new VlmoError(
      'USAGE_INVALID',
      `Cannot evaluate: expected ${MIN_RERANK} or more hits to read again, since recall@${MIN_RERANK} is of so many, received ${rerank}`,
    );
  }
  const { record } = await activeTables(store, collection);
  return generations.use(record, async (loaded) => {
    const split = await readSplit(loaded.tables, splitFilter(where));
    const missing = await findMissing(store, split);
    if (missing.count > 0 && !partial) throw incomplete(collection, missing);
    const scorers = await loaded.scorers();
    const evaluated = await evaluateSplit({
      ...{ split, seed, signal, onStart, rerank: depths(rerank), crossEncoder: loaded.crossEncoder },
      nearest: { images: scorers.images.nearestIds, captions: scorers.captions.nearestIds },
    });
    const { pictures, captions, alone } = split;
    const known = knownSplit(pictures.size, captions.size);
    return {
      ...evaluated,
      ...{ generation: record, pictures: pictures.size, captions: captions.size, alone, missing },
      split: known ?? null,
      published: PUBLISHED.filter(({ dataset }) => dataset === known?.dataset),
    };
  });
}

function depths(rerank: number | undefined): number[] {
  if (rerank === undefined) return [];
  return rerank > USUAL_RERANK ? [USUAL_RERANK, rerank] : [rerank];
}

const NAMED = 5;

/**
 * Pictures that stored captions are of and that are not there, and what is listed as failed. With a filter the former
 * alone: of what failed nobody knows whether it would match.
 */
async function findMissing(
  { failures }: IndexParts['store'],
  { tables, where, missing }: Split,
): Promise<MissingItems> {
  const names = new Map(missing);
  if (where.images === undefined)
    for await (const { key, id } of failures.scan(tables.record.collection)) names.set(key, id);
  return { count: names.size, first: [...names.values()].slice(0, NAMED) };
}

function incomplete(collection: string, { count, first }: MissingItems): VlmoError {
  const more = count > first.length ? ', …' : '';
  return new VlmoError(
    'EVALUATION_INCOMPLETE',
    `Cannot evaluate collection "${collection}": expected all of its pictures and captions, ${count} are missing or failed: ${first.join(', ')}${more}; --partial evaluates the others`,
  );
}
