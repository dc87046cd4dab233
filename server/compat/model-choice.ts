import { VlmoError } from '#errors.ts';
import type { OpenIndex } from '#service/contract.ts';

export interface ChosenModel {
  readonly collection: string;
  /** What the answer calls it: the name of the generation. */
  readonly name: string;
  readonly dimensions: number;
}

/**
 * The model that a client names: a generation that serves, its collection, or the model by its own name; left out, that of
 * the collection that the server was started with. Throws REQUEST_INVALID, which names those there are.
 */
export async function chooseModel(
  index: OpenIndex,
  named: string | undefined,
  collection: string,
): Promise<ChosenModel> {
  if (named === undefined) return chosen(await index.serving(collection));
  const collections = new Set((await index.generations()).map((one) => one.collection));
  const serving = await Promise.all([...collections].toSorted().map((one) => index.serving(one)));
  const own = serving.toSorted(
    (a, b) => Number(b.collection === collection) - Number(a.collection === collection),
  );
  const found =
    own.find(({ name }) => name === named) ??
    own.find((one) => one.collection === named) ??
    own.find(({ modelName }) => modelName === named);
  if (found) return chosen(found);
  const expected = serving.map(({ name }) => `"${name}"`).join(', ');
  const received = JSON.stringify(named.slice(0, 100));
  throw new VlmoError(
    'REQUEST_INVALID',
    `Cannot choose a model: expected "model" to be one that serves (${expected}) or a collection, received ${received}`,
    { details: { field: 'model', expected, received } },
  );
}

function chosen({ collection, name, dimensions }: Awaited<ReturnType<OpenIndex['serving']>>): ChosenModel {
  return { collection, name, dimensions };
}
