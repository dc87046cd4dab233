import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { CONFIG_FILE } from '../model.ts';

/** How the weights of a graph are stored, as the names of its files end, the nearest to 32 bits first. */
export const DTYPES = {
  f32: '',
  fp16: '_fp16',
  quantized: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
  q4: '_q4',
  q4f16: '_q4f16',
  bnb4: '_bnb4',
} as const;
export type GraphDtype = keyof typeof DTYPES;

/** A model folder, and which of its graphs are meant where it has several. */
export interface HubPlace {
  /** Absolute path of the folder. */
  readonly folder: string;
  /** undefined for the nearest to 32 bits that is there. */
  readonly dtype: GraphDtype | undefined;
  /** The place in one word, by which it is opened again: `/models/clip`, `/models/clip:q4`. */
  readonly path: string;
  /** What a person calls it. */
  readonly name: string;
}

/** Takes `FOLDER:q4` apart; a folder that is called so itself is a folder. */
export function parseHubPlace(path: string): HubPlace {
  const [, before = '', after = ''] = /^(.+):([a-z0-9]+)$/.exec(path) ?? [];
  const dtype = after in DTYPES && !existsSync(join(path, CONFIG_FILE)) ? (after as GraphDtype) : undefined;
  const folder = resolve(dtype ? before : path);
  const [suffix, name] = [dtype ? `:${dtype}` : '', nameOf(folder)];
  return { folder, dtype, path: `${folder}${suffix}`, name: `${name}${suffix}` };
}

/** `org/name` for a snapshot in the Hub's cache, whose own name is a commit. */
function nameOf(folder: string): string {
  const [, org, name] = /^models--(.+?)--(.+)$/.exec(basename(dirname(dirname(folder)))) ?? [];
  return basename(dirname(folder)) === 'snapshots' && org && name ? `${org}/${name}` : basename(folder);
}
