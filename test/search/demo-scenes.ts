import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor } from '#model/vlmo/inputs.ts';
import type { Vlmo } from '#model/vlmo/vlmo.ts';
import { preprocess } from '#pictures/preprocess.ts';
import { byScore, type Ranked, type Ranking, toRanked } from '#search/ranking/ranking.ts';
import type { ItemKind } from '#store/contract.ts';
import { readDrawings } from '../../demo/drawings.ts';
import { drawScene, parseScenes } from '../../demo/scenes.ts';
import { fixture } from '../fixtures/files.ts';
import { captionRow, imageRow } from '../store/lance/store-fixture.ts';

export const DEMO_MODEL = fixture('../../models/demo');

/** A held-out scene of the demo, drawn. */
export interface DrawnScene {
  readonly caption: string;
  readonly path: string;
}

/** Draws the first scenes of the demo: families of four that differ in one point each. */
export async function drawFirstScenes(folder: string, count: number): Promise<DrawnScene[]> {
  const svgs = new Map((await readDrawings()).map(({ name, svg }) => [name, svg]));
  const scenes = parseScenes(await readFile(fixture('../../demo/scenes.jsonl'), 'utf8')).slice(0, count);
  return Promise.all(
    scenes.map(async (scene) => {
      const path = join(folder, `${scene.name}.png`);
      await writeFile(path, await drawScene(scene, svgs));
      return { caption: scene.caption, path };
    }),
  );
}

export async function readPixels({ config, folder }: Vlmo, path: string): Promise<Tensor> {
  const data = new Float32Array(config.num_channels * config.image_size[0] * config.image_size[1]);
  await preprocess(await readFile(path), folder.picture, 'reference', { maxPixels: 1e8 }, data);
  return { data, dims: [1, config.num_channels, ...config.image_size] };
}

export function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? Number.NaN), 0);
}

/** The order of rows by these cosines. */
export function rankingOf(rows: readonly Ranked[]): Ranking {
  const sorted = rows.toSorted(byScore);
  return async (k) => sorted.slice(0, k);
}

/** A row by its cosine; its picture or its caption is `content`. */
export function ranked(kind: ItemKind, id: string, cosine: number, content: string): Ranked {
  const row = kind === 'image' ? imageRow(id, { uri: content }) : captionRow(id, { caption: content });
  return toRanked(row, kind, cosine);
}
