import type { SearchOrder } from '#search/request.ts';
import type { CaptionRecord, ImageRecord } from '#store/contract.ts';
import { type Corpus, cosine, type Known } from './corpus.ts';

/** What a search finds by its definition: all rows scored in float64 and sorted; nothing of the product is used. */
export interface Expected {
  readonly id: string;
  readonly score: number;
  readonly group: string;
}

export interface Asked extends Pick<SearchOrder, 'in' | 'groupBy' | 'minScore' | 'keywords'> {
  readonly matches?: ((row: ImageRecord | CaptionRecord) => boolean) | undefined;
}

export function everything(corpus: Corpus, query: Float32Array, asked: Asked): Expected[] {
  const { matches = () => true, minScore = -2 } = asked;
  const share = shares(corpus, asked);
  const all: Known<ImageRecord | CaptionRecord>[] = [...corpus[asked.in].values()];
  const rows = all
    .filter((known) => matches(known.row) && cosine(query, known) >= minScore)
    .map((known) => {
      const { row } = known;
      const group = 'imageId' in row ? (row.imageId ?? `alone ${row.id}`) : row.id;
      return { id: row.id, group, score: cosine(query, known) + 0.5 * share(row) };
    });
  const sorted = rows.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
  if (asked.groupBy === undefined) return sorted;
  const seen = new Set<string>();
  return sorted.filter(({ group }) => !seen.has(group) && seen.add(group));
}

/** The share of the keywords that a row holds: by the formula of the documents, over all captions there are. */
function shares(
  corpus: Corpus,
  { in: target, keywords }: Asked,
): (row: ImageRecord | CaptionRecord) => number {
  const words = keywords === undefined ? [] : keywords.split(' ');
  const captions = Array.from(corpus.captions.values(), ({ row }) => row);
  const ofImage = Map.groupBy(captions, ({ imageId }) => imageId);
  const rarity = words.map((word) => {
    const count = captions.filter((row) => holds(row, word)).length;
    return count === 0 ? 0 : Math.log(1 + (captions.length - count + 0.5) / (count + 0.5));
  });
  const sum = rarity.reduce((all, value) => all + value, 0);
  return (row) => {
    const own = target === 'images' ? (ofImage.get(row.id) ?? []) : [row as CaptionRecord];
    return words.reduce((all, word, i) => {
      const isHeld = own.some((caption) => holds(caption, word));
      return isHeld ? all + (rarity[i] ?? 0) / sum : all;
    }, 0);
  };
}

/** Words and plurals of the corpus only. */
function holds({ caption }: CaptionRecord, word: string): boolean {
  return caption
    .split(/[ ,]+/)
    .some((written) => written.toLowerCase().replace(/s$/, '') === word.replace(/s$/, ''));
}
