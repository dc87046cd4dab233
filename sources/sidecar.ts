import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import { errorMessage } from '#errors.ts';
import { errnoOf, patiently, throwIfMachine } from '#machine-error.ts';
import { filePath } from '#uri.ts';
import { type Beside, type Description, stemOf } from './beside.ts';
import { collectCaptions } from './captions.ts';
import { type Described, describedDigest, parseDescribed, toDescribed } from './described.ts';
import type { BrokenItem, Meta, SourceOptions } from './item.ts';
import { isInside } from './linked-folders.ts';
import type { OpenMeta } from './meta.ts';
import type { PictureBefore } from './read-before.ts';
import type { ReadingNotes } from './reading-notes.ts';
import { takeJson } from './sidecar-json.ts';

/** A description of one picture is short; a longer file is something else. */
const MAX_SIDECAR_BYTES = 1024 * 1024;

/** What the files beside a picture say about it. */
export interface Sidecars {
  readonly captions: readonly string[];
  readonly meta: Meta;
  readonly broken: readonly BrokenItem[];
  /** What they are known by; left out where they were changed just now, or one could not be read. */
  readonly described?: string;
}

export interface SidecarPlace {
  /** Where the folder really is. */
  readonly real: string;
  /** The folder relative to the root of the source, empty or ending with `/`. */
  readonly prefix: string;
  readonly beside: Beside;
}

const NONE: Sidecars = { captions: [], meta: {}, broken: [] };

/**
 * Reads `NAME.txt` and `NAME.json` beside the picture `NAME.jpg`, if its folder has them; what is known of the picture from
 * `before` stands for those that have not changed.
 */
export async function readSidecars(
  { real, prefix, beside }: SidecarPlace,
  picture: string,
  options: SourceOptions,
  notes: ReadingNotes,
  before?: PictureBefore,
): Promise<Sidecars> {
  const stem = stemOf(picture);
  const texts = beside.find(`${stem}.txt`);
  const jsons = beside.find(`${stem}.json`);
  if (texts.length === 0 && jsons.length === 0) return NONE;

  const descriptions = [...texts, ...jsons];
  const digest = await describedDigest(descriptions, options);
  const known = digest !== undefined && before ? asBefore(digest, before) : undefined;
  if (before && known) {
    for (const [index, description] of descriptions.entries())
      if (beside.use(description) && known.blank.includes(index))
        notes.leaveOut('blank', prefix + description.name);
    if (known.isBare) notes.noCaptionIn(before.meta);
    return { captions: before.captions, meta: before.meta, broken: [], described: toDescribed(known) };
  }

  const captions: string[] = [];
  const meta: OpenMeta = {};
  const broken: BrokenItem[] = [];
  const blank: number[] = [];
  let isBare = false;
  for (const [index, description] of descriptions.entries()) {
    const { name, uri } = description;
    const isFirst = beside.use(description);
    try {
      const text = await patiently(() => readText(description, real));
      if (texts.includes(description)) {
        const found = captionsOf(text, options);
        if (found.length === 0) blank.push(index);
        if (found.length === 0 && isFirst) notes.leaveOut('blank', prefix + name);
        captions.push(...found);
      } else if (!takeJson(text, options, captions, meta)) isBare = true;
    } catch (error) {
      throwIfMachine(`Cannot read sidecar "${uri}"`, error);
      const message = `Cannot read sidecar "${uri}": ${errorMessage(error)}`;
      const code = errnoOf(error) === undefined ? 'SOURCE_ROW_INVALID' : 'ITEM_UNREADABLE';
      broken.push({ kind: 'broken', id: prefix + name, uri, error: { code, message } });
    }
  }
  if (isBare) notes.noCaptionIn(meta);
  const isKnown = digest !== undefined && broken.length === 0;
  const described = isKnown && {
    described: toDescribed({ digest, captions: captions.length, blank, isBare }),
  };
  return { captions, meta, broken, ...described };
}

function asBefore(digest: string, { described, captions }: PictureBefore): Described | undefined {
  const known = described === null ? undefined : parseDescribed(described);
  return known?.digest === digest && known.captions === captions.length ? known : undefined;
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
    (cause: unknown) => {
      throw new Error(`expected a readable file, received ${errorMessage(cause)}`, { cause });
    },
  );
  if (size > MAX_SIDECAR_BYTES) {
    refuse(`expected at most ${MAX_SIDECAR_BYTES} bytes, received ${size}`);
  }
  const bytes = await readFile(path);
  if (!isUtf8(bytes)) refuse('expected UTF-8 text, received other bytes');
  const text = bytes.toString('utf8');
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}

function refuse(reason: string): never {
  throw new Error(reason);
}
