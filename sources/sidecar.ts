import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '#errors.ts';
import { collectCaptions } from './captions.ts';
import type { BrokenItem, Meta } from './item.ts';
import { isTooDeep, type OpenMeta, setMeta, TOO_DEEP } from './meta.ts';
import { describeType } from './quote.ts';

/** A description of one picture is short; a longer file is something else. */
const MAX_SIDECAR_BYTES = 1024 * 1024;

/** What the files beside a picture say about it. */
export interface Sidecars {
  readonly captions: readonly string[];
  readonly meta: Meta;
  readonly broken: readonly BrokenItem[];
}

const NONE: Sidecars = { captions: [], meta: {}, broken: [] };

/** Keys of a JSON file that hold captions; its other keys are `meta`. */
const CAPTION_KEYS: readonly string[] = ['caption', 'captions', 'text'];

/**
 * Reads `NAME.txt` and `NAME.json` beside the picture `NAME.jpg`, if the folder has them (`beside`).
 * `prefix` is the folder relative to the root of the source, empty or ending with `/`.
 */
export async function readSidecars(
  folder: string,
  prefix: string,
  picture: string,
  beside: ReadonlySet<string>,
): Promise<Sidecars> {
  const stem = picture.slice(0, picture.lastIndexOf('.'));
  const texts = [`${stem}.txt`, `${stem}.TXT`].filter((name) => beside.has(name));
  const jsons = [`${stem}.json`, `${stem}.JSON`].filter((name) => beside.has(name));
  if (texts.length === 0 && jsons.length === 0) return NONE;

  const captions: string[] = [];
  const meta: OpenMeta = {};
  const broken: BrokenItem[] = [];
  for (const name of [...texts, ...jsons]) {
    const uri = join(folder, name);
    try {
      const text = await readText(uri);
      if (texts.includes(name)) collectCaptions(text.split('\n'), captions);
      else parseJson(text, captions, meta);
    } catch (error) {
      const message = `Cannot read sidecar "${uri}": ${errorMessage(error)}`;
      broken.push({ kind: 'broken', id: prefix + name, uri, error: { code: 'SOURCE_ROW_INVALID', message } });
    }
  }
  return { captions, meta, broken };
}

/** Throws an error that says `expected …, received …`. */
async function readText(path: string): Promise<string> {
  const { size } = await stat(path).then(
    (found) => (found.isFile() ? found : refuse('expected a file, received something else')),
    (error: unknown) => refuse(`expected a readable file, received ${errorMessage(error)}`),
  );
  if (size > MAX_SIDECAR_BYTES) {
    refuse(`expected at most ${MAX_SIDECAR_BYTES} bytes, received ${size}`);
  }
  const bytes = await readFile(path);
  if (!isUtf8(bytes)) refuse('expected UTF-8 text, received other bytes');
  const text = bytes.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function parseJson(text: string, captions: string[], meta: OpenMeta): void {
  const value = parseObject(text);
  const found: string[] = [];
  for (const key of CAPTION_KEYS) {
    const reason = Object.hasOwn(value, key) ? collectCaptions(value[key], found) : undefined;
    if (reason !== undefined) refuse(reason);
  }
  if (isTooDeep(value)) refuse(TOO_DEEP);
  // img2dataset writes the same caption into both files.
  captions.push(...found.filter((caption) => !captions.includes(caption)));
  for (const [key, one] of Object.entries(value)) {
    if (!CAPTION_KEYS.includes(key)) setMeta(meta, key, one);
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse(`expected a JSON object, received invalid JSON (${errorMessage(error)})`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  return refuse(`expected a JSON object, received ${describeType(value)}`);
}

function refuse(reason: string): never {
  throw new Error(reason);
}
