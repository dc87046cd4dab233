import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import { errorMessage } from '#errors.ts';
import { filePath } from '#uri.ts';
import { type Beside, type Description, stemOf } from './beside.ts';
import { collectCaptions, sameCaption } from './captions.ts';
import type { BrokenItem, Meta, SourceOptions } from './item.ts';
import { parseJson } from './json.ts';
import { isInside } from './linked-folders.ts';
import { isTooDeep, type OpenMeta, setMeta, TOO_DEEP } from './meta.ts';
import { describeType } from './quote.ts';
import type { ReadingNotes } from './reading-notes.ts';

/** A description of one picture is short; a longer file is something else. */
const MAX_SIDECAR_BYTES = 1024 * 1024;

/** What the files beside a picture say about it. */
export interface Sidecars {
  readonly captions: readonly string[];
  readonly meta: Meta;
  readonly broken: readonly BrokenItem[];
}

export interface SidecarPlace {
  /** Where the folder really is. */
  readonly real: string;
  /** The folder relative to the root of the source, empty or ending with `/`. */
  readonly prefix: string;
  readonly beside: Beside;
}

const NONE: Sidecars = { captions: [], meta: {}, broken: [] };

/** Keys of a JSON file that hold captions; its other keys are `meta`. */
const CAPTION_KEYS: readonly string[] = ['caption', 'captions', 'text'];

/** Reads `NAME.txt` and `NAME.json` beside the picture `NAME.jpg`, if its folder has them. */
export async function readSidecars(
  { real, prefix, beside }: SidecarPlace,
  picture: string,
  options: SourceOptions,
  notes: ReadingNotes,
): Promise<Sidecars> {
  const stem = stemOf(picture);
  const texts = beside.find(`${stem}.txt`);
  const jsons = beside.find(`${stem}.json`);
  if (texts.length === 0 && jsons.length === 0) return NONE;

  const captions: string[] = [];
  const meta: OpenMeta = {};
  const broken: BrokenItem[] = [];
  for (const description of [...texts, ...jsons]) {
    const { name, uri } = description;
    const isFirst = beside.use(description);
    try {
      const text = await readText(description, real);
      if (texts.includes(description)) {
        const found = captionsOf(text, options);
        if (found.length === 0 && isFirst) notes.leaveOut('blank', prefix + name);
        captions.push(...found);
      } else takeJson(text, options, captions, meta, notes);
    } catch (error) {
      const message = `Cannot read sidecar "${uri}": ${errorMessage(error)}`;
      broken.push({ kind: 'broken', id: prefix + name, uri, error: { code: 'SOURCE_ROW_INVALID', message } });
    }
  }
  return { captions, meta, broken };
}

/** One caption, however many lines it has: line breaks only wrap it, unless each line is said to be one. */
function captionsOf(text: string, { captionLines = false }: SourceOptions): readonly string[] {
  const captions: string[] = [];
  collectCaptions(captionLines ? text.split(/\r\n|\r|\n/) : text.replace(/\r\n?/g, '\n'), captions);
  return captions;
}

/** Throws an error that says `expected …, received …`. */
async function readText({ uri, isLink }: Description, folder: string): Promise<string> {
  // A data set must not have other files of the machine read as captions.
  if (isLink && !(await isInside(uri, folder)))
    refuse('expected a file of this folder, received a link that leads out of it, or to nothing');
  const path = filePath(uri);
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

function takeJson(
  text: string,
  { captionColumns = [] }: SourceOptions,
  captions: string[],
  meta: OpenMeta,
  notes: ReadingNotes,
): void {
  const value = parseObject(text);
  const found: string[] = [];
  const keys = captionColumns.length > 0 ? captionColumns : CAPTION_KEYS;
  for (const key of keys) {
    const reason = Object.hasOwn(value, key) ? collectCaptions(value[key], found) : undefined;
    if (reason !== undefined) refuse(reason);
  }
  if (isTooDeep(value)) refuse(TOO_DEEP);
  // img2dataset writes the same caption into both files.
  captions.push(...found.filter((caption) => !captions.some((known) => sameCaption(known, caption))));
  for (const [key, one] of Object.entries(value)) {
    if (!keys.includes(key)) setMeta(meta, key, one);
  }
  if (!keys.some((key) => Object.hasOwn(value, key))) notes.noCaptionIn(meta);
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parseJson(text);
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
