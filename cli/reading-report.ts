import type { LeftOutReason, ReadingReport } from '#sources/reading-notes.ts';
import { counted, formatCount, printable, shellWord } from './output.ts';

const REASONS: Readonly<Record<LeftOutReason, string>> = {
  hidden: 'hidden',
  thumbnails: 'thumbnail folders',
  system: 'system folders',
  other_type: 'of other types',
  unreadable: 'unreadable',
  linked: 'linked folders that are read at their own place',
  without_picture: 'texts beside no picture',
  blank: 'blank captions',
  excluded: 'by --exclude',
  not_included: 'not in --include',
};

/** What a source passed over, for `--json`: counts by reason, and the first five of each by name. */
export function readingJson(reading: ReadingReport | undefined): object {
  const entries = Object.entries(reading?.leftOut ?? {});
  return {
    left_out: Object.fromEntries(entries.map(([reason, { count }]) => [reason, count])),
    ...(entries.length > 0 && {
      left_out_first: Object.fromEntries(entries.map(([reason, { first }]) => [reason, first])),
    }),
    ...((reading?.sharedFiles ?? 0) > 0 && { shared_files: reading?.sharedFiles }),
    ...((reading?.captionCandidates.length ?? 0) > 0 && { caption_candidates: reading?.captionCandidates }),
  };
}

/** The same for people; no line where nothing was passed over. */
export function readingLines(reading: ReadingReport | undefined): readonly string[] {
  if (!reading) return [];
  const { leftOut, captionCandidates: columns, sharedFiles } = reading;
  const parts = Object.entries(leftOut).map(([reason, { count, first }]) => {
    const more = count > first.length ? ', …' : '';
    return `${formatCount(count)} ${REASONS[reason as LeftOutReason]} (${first.map(printable).join(', ')}${more})`;
  });
  const lines = parts.length > 0 ? [`Left out: ${parts.join('; ')}.`] : [];
  if (sharedFiles > 0)
    lines.push(
      `${counted(sharedFiles, 'picture')} with the file of another one, under an id of its own. If the ids of rows are those of captions, say so: --caption-id-column COLUMN.`,
    );
  const [column] = columns;
  if (column !== undefined) {
    const names = columns.map((name) => `"${printable(name)}"`).join(', ');
    lines.push(
      `No captions were found. Columns with texts: ${names}; --caption-column ${shellWord(column)} reads one.`,
    );
  }
  return lines;
}
