import pMap from 'p-map';
import type { OpenIndex } from '#service/contract.ts';

/** What is ranked, and what it is ranked by. */
export type Subject = { readonly text: string } | { readonly picture: Uint8Array<ArrayBuffer> | string };

const AT_ONCE = 8;
const TEXTS_AT_ONCE = 64;

/**
 * How well each document answers a query, 0 to 1. A picture and a text: the probability of the fusion encoder that they
 * belong together. Two of a kind, which it does not read: half of one more than the cosine of their vectors.
 */
export async function relevances(
  index: OpenIndex,
  collection: string,
  query: Subject,
  documents: readonly Subject[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  const found = new Array<number>(documents.length).fill(0);
  const places = documents.map((document, place) => ({ document, place }));
  const crossed = places.filter(({ document }) => 'text' in document !== 'text' in query);
  const alike = places.filter(({ document }) => 'text' in document === 'text' in query);
  if ('picture' in query) {
    const texts = crossed.map(({ document }) => ('text' in document ? document.text : ''));
    for (let at = 0; at < texts.length; at += TEXTS_AT_ONCE) {
      const some = texts.slice(at, at + TEXTS_AT_ONCE);
      const matches = await index.match({ collection, image: query.picture, texts: some }, { signal });
      for (const [i, { match }] of matches.entries()) found[crossed[at + i]?.place ?? 0] = match;
    }
  } else {
    await pMap(
      crossed,
      async ({ document, place }) => {
        const image = 'picture' in document ? document.picture : '';
        const [first] = await index.match({ collection, image, texts: [query.text] }, { signal });
        found[place] = first?.match ?? 0;
      },
      { concurrency: AT_ONCE },
    );
  }
  if (alike.length > 0) {
    const subjects = [query, ...alike.map(({ document }) => document)];
    const [asked, ...vectors] = await embedAll(index, collection, subjects, signal);
    for (const [i, { place }] of alike.entries()) found[place] = (1 + dot(asked, vectors[i])) / 2;
  }
  return found.map((value) => Math.min(1, Math.max(0, value)));
}

async function embedAll(
  index: OpenIndex,
  collection: string,
  subjects: readonly Subject[],
  signal: AbortSignal,
): Promise<readonly (Float32Array | undefined)[]> {
  return pMap(
    subjects,
    async (subject) => {
      const asked = 'text' in subject ? { texts: [subject.text] } : { image: subject.picture };
      const [vector] = await index.embed({ collection, ...asked }, { signal });
      return vector;
    },
    { concurrency: AT_ONCE },
  );
}

function dot(a: Float32Array = new Float32Array(), b: Float32Array = new Float32Array()): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
