import { activeTables } from '#search/active-tables.ts';
import type { IndexParts } from './index-parts.ts';

/** How many tokens the model of a collection reads of each text, those that frame it included. */
export async function countTokens(
  { store, generations }: IndexParts,
  texts: readonly string[],
  collection = 'default',
): Promise<readonly number[]> {
  const { record } = await activeTables(store, collection);
  return generations.use(record, async (loaded) => {
    const tokenizer = await loaded.tokenizer();
    return texts.map((text) => tokenizer.encode(text).length);
  });
}
