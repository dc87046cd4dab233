import type { GenerationTables } from '#store/contract.ts';
import { pictureKey } from '#store/item-key.ts';
import type { Ranked } from './ranking/ranking.ts';
import type { Hit } from './request.ts';

/** Rows as they are shown, with the first caption of each picture. `before` hits were on earlier pages. */
export async function toHits(
  { captions }: GenerationTables,
  rows: readonly Ranked[],
  before: number,
): Promise<Hit[]> {
  const pictures = rows.filter(({ kind }) => kind === 'image').map(({ key }) => key);
  const texts = await captions.firstOfImages(pictures);
  return rows.map(({ key, id, source, kind, row, score, cosine, match }, i) => {
    const caption = 'caption' in row ? row.caption : (texts.get(key) ?? null);
    const { uri, meta } = row;
    const place = { rank: before + i + 1, id, kind, uri, caption, meta };
    return { ...place, score, cosine, match, key, source, ...pictureOf(row) };
  });
}

/** The picture that a hit is, or that its caption describes. */
function pictureOf(row: Ranked['row']): Pick<Hit, 'width' | 'height' | 'imageKey'> {
  if ('width' in row) return { width: row.width, height: row.height, imageKey: row.key };
  return { width: null, height: null, imageKey: pictureKey(row) };
}
