import { readFile } from 'node:fs/promises';
import type { Hit } from '#search/request.ts';

export interface SheetRow {
  readonly query: string;
  /** The picture searched by, in a search by picture. */
  readonly picture?: string;
  /** How the hits were put in order, where it is not by cosine alone. */
  readonly how?: string;
  /** The picture looked for, where there is one: it is framed. */
  readonly right?: string;
  readonly hits: readonly Hit[];
}

/** One HTML page with the hits of every query, the pictures inside it. */
export async function contactSheet(rows: readonly SheetRow[]): Promise<string> {
  const sections = await Promise.all(rows.map(section));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>vlmo-pipeline: what the demo found</title>
<style>
  body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c1c1c; background: #fff }
  h1 { font-size: 1.4rem } h2 { font-size: 1rem; margin: 1.6rem 0 .5rem; display: flex; align-items: center; gap: .6rem }
  ol { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .8rem }
  li { border: 1px solid #ddd; border-radius: .5rem; padding: .5rem; text-align: center }
  img { width: 5rem; height: 5rem; object-fit: contain } li img { display: block; margin: 0 auto .3rem } h2 img { width: 3rem; height: 3rem }
  h2 small { font-weight: normal } li.right { border: 3px solid #1a9c3c; padding: calc(.5rem - 2px) }
  small { display: block; color: #555 } footer { margin-top: 2rem; color: #555; font-size: .85rem }
</style>
<h1>What the demo found</h1>
<p>Best first, with the cosine of query and picture. The bundled model knows drawings only, by name and keyword, and scenes
of them. Scenes are searched for by their own captions, the right one framed: first by cosine, then the best of these read
again by the fusion encoder, picture and text together (its match is 0 to 1), in the order of match and cosine.</p>
${sections.join('\n')}
<footer>Pictures: OpenMoji, the open-source emoji and icon project, licence CC BY-SA 4.0.
Names and keywords: Unicode CLDR.</footer>
</html>
`;
}

async function section({ query, picture, how, right, hits }: SheetRow): Promise<string> {
  const sample = picture === undefined ? '' : `<img src="${await inline(picture)}" alt="">`;
  const items = await Promise.all(hits.map((hit) => item(hit, hit.uri === right)));
  const order = how === undefined ? '' : `<small>${escapeHtml(how)}</small>`;
  return `<section><h2>${escapeHtml(query)} ${sample}${order}</h2><ol>${items.join('')}</ol></section>`;
}

async function item({ uri, caption, id, cosine, match }: Hit, isRight: boolean): Promise<string> {
  const name = escapeHtml(caption ?? id);
  return `<li${isRight ? ' class="right"' : ''}><img src="${await inline(uri)}" alt="${name}">${name}<small>${(match ?? cosine).toFixed(3)}</small></li>`;
}

async function inline(path: string): Promise<string> {
  return `data:image/png;base64,${(await readFile(path)).toString('base64')}`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
