import { readFile } from 'node:fs/promises';
import { pictureTensor } from '#model/preprocess/picture-tensor.ts';
import type { Vlmo } from '#model/vlmo.ts';
import type { Hit } from '#search/search.ts';

/** Hits in the order of the fusion encoder, which reads each picture together with the text; their score becomes the match, 0 to 1. */
export async function rerank(vlmo: Vlmo, text: string, hits: readonly Hit[]): Promise<Hit[]> {
  const matched: Hit[] = [];
  for (const hit of hits) {
    const bytes = await readFile(hit.uri);
    const pixels = await pictureTensor(bytes, vlmo.config, 'fast', { maxPixels: 1e8 }, hit.uri);
    const { probabilities } = await vlmo.match(pixels, [text]);
    matched.push({ ...hit, score: probabilities[0] ?? 0 });
  }
  return matched.sort((a, b) => b.score - a.score).map((hit, i) => ({ ...hit, rank: i + 1 }));
}
