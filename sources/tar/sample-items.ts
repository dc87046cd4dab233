import { isUtf8 } from 'node:buffer';
import { errorMessage } from '#errors.ts';
import { memberUri } from '#uri.ts';
import { collectCaptions, sameCaption } from '../captions.ts';
import type { BrokenItem, Item, SourceOptions } from '../item.ts';
import type { OpenMeta } from '../meta.ts';
import type { Occurrences } from '../occurrences.ts';
import { beginsAsPictureBytes, PICTURE_HEAD_BYTES } from '../picture-content.ts';
import { nameSays } from '../picture-name.ts';
import type { ReadingNotes } from '../reading-notes.ts';
import { takeJson } from '../sidecar-json.ts';
import type { TarReader } from './entries.ts';
import type { Sample, SampleFile } from './samples.ts';

/** A description of one picture is short; what is longer is something else. */
const MAX_TEXT_BYTES = 1024 * 1024;
const TEXTS: ReadonlySet<string> = new Set(['txt', 'text', 'caption']);

export interface TarReading {
  readonly reader: TarReader;
  /** Path or file URL of the tar. */
  readonly uri: string;
  /** `uri` as a file URL: made once, not for each picture. */
  readonly container: string;
  /** What the ids of its items begin with: its name in the source, and `/`. */
  readonly prefix: string;
  readonly options: SourceOptions;
  readonly notes: ReadingNotes;
  /** Keys met so far. */
  readonly keys: Occurrences;
}

/** The pictures of a sample and its captions: those of its texts, then those of its JSON, each once. */
export async function sampleItems({ key, files }: Sample, reading: TarReading): Promise<readonly Item[]> {
  const { prefix, uri, container, notes, keys } = reading;
  if (key.split('/').includes('..'))
    return files.map(({ name }) =>
      broken(reading, name, 'expected a name inside the tar, received one that leads out of it'),
    );
  if (!keys.add(key))
    return files.map(({ name }) =>
      broken(reading, name, 'expected the files of a sample side by side, received its key a second time'),
    );
  const captions: string[] = [];
  const meta: OpenMeta = {};
  const items: Item[] = [];
  const pictures: SampleFile[] = [];
  const met = new Set<string>();
  for (const file of files) {
    const isNew = met.size < met.add(file.extension).size;
    if (!isNew) items.push(broken(reading, file.name, 'expected each name once, received it a second time'));
    else if (await isPicture(file, reading)) pictures.push(file);
    else if (TEXTS.has(file.extension) || file.extension === 'json') {
      try {
        await takeText(file, reading, captions, meta);
      } catch (error) {
        items.push(broken(reading, file.name, errorMessage(error)));
      }
    } else notes.leaveOut('other_type', prefix + file.name);
  }
  const id = prefix + key;
  const isAlone = pictures.length === 0;
  const [first] = pictures;
  const place = first ? memberPlace(container, first) : uri;
  if (captions.length === 0 && Object.keys(meta).length > 0) notes.noCaptionIn(meta);
  notes.addCaptions(captions.length);
  return [
    ...pictures.map((file, n) => ({
      ...{ kind: 'image' as const, id: n === 0 ? id : `${id}.${file.extension}` },
      ...{ uri: memberPlace(container, file), meta },
    })),
    ...captions.map((caption, n) => ({
      ...{ kind: 'caption' as const, id: `${id}#${n}`, imageId: isAlone ? null : id },
      ...{ uri: place, caption, meta },
    })),
    ...items,
  ];
}

export function broken({ prefix, uri }: TarReading, name: string, reason: string): BrokenItem {
  const message = `Cannot read "${name}" of "${uri}": ${reason}`;
  return { kind: 'broken', id: prefix + name, uri, error: { code: 'SOURCE_ROW_INVALID', message } };
}

function memberPlace(container: string, { offset, size, head, name }: SampleFile): string {
  return memberUri('tar', container, { offset, size, head, name });
}

/** By its name, or where that does not tell by its content; `seg.png` is of another kind. */
async function isPicture({ extension, offset }: SampleFile, { reader }: TarReading): Promise<boolean> {
  if (extension.includes('.')) return false;
  const said = nameSays(`x.${extension}`);
  if (said !== 'unknown') return said === 'picture';
  return beginsAsPictureBytes(await reader.read(offset, PICTURE_HEAD_BYTES));
}

/** Throws an error that says `expected …, received …`. */
async function takeText(
  { extension, offset, size }: SampleFile,
  { reader, options }: TarReading,
  captions: string[],
  meta: OpenMeta,
): Promise<void> {
  if (size > MAX_TEXT_BYTES) throw new Error(`expected at most ${MAX_TEXT_BYTES} bytes, received ${size}`);
  const bytes = await reader.read(offset, size);
  if (!isUtf8(bytes)) throw new Error('expected UTF-8 text, received other bytes');
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  if (extension === 'json') {
    takeJson(text, options, captions, meta);
    return;
  }
  const found: string[] = [];
  collectCaptions(options.captionLines ? text.split(/\r\n|\r|\n/) : text.replace(/\r\n?/g, '\n'), found);
  captions.push(...found.filter((caption) => !captions.some((known) => sameCaption(known, caption))));
}
