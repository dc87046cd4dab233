import type { Hit } from '#search/request.ts';
import { shellWord, table } from './output.ts';

interface TableOptions {
  readonly hasMeta: boolean;
  /** A match that is not is called raw. */
  readonly isCalibrated: boolean;
}

/** Hits as a table: the cosine and the match in columns of their own where the order is not by cosine alone. */
export function hitsTable(hits: readonly Hit[], { hasMeta, isCalibrated }: TableOptions): string {
  const hasMatch = hits.some(({ match }) => match !== null);
  const hasCosine = hasMatch || hits.some(({ score, cosine }) => score !== cosine);
  const rows = hits.map(({ rank, score, cosine, match, id, caption, meta }) => [
    String(rank),
    score.toFixed(3),
    ...(hasCosine ? [cosine.toFixed(3)] : []),
    ...(hasMatch ? [match?.toFixed(3) ?? ''] : []),
    id,
    caption ?? '',
    ...(hasMeta ? [JSON.stringify(meta)] : []),
  ]);
  const head = [
    'rank',
    'score',
    ...(hasCosine ? ['cosine'] : []),
    ...(hasMatch ? [isCalibrated ? 'match' : 'raw match'] : []),
  ];
  return table([[...head, 'id', 'caption', ...(hasMeta ? ['meta'] : [])], ...rows]);
}

/** Whether all that was read together is less likely to belong together than not; of hits that were not read nobody knows. */
export function nothingFits(hits: readonly Hit[]): boolean {
  return hits.length > 0 && hits.every(({ match }) => match !== null && match < 0.5);
}

/** The command that was given, as a shell takes it, for the page behind a cursor. */
export function nextPageCommand(args: readonly string[], cursor: string): string {
  const kept = args.filter((arg, i) => !arg.startsWith('--cursor') && args[i - 1] !== '--cursor');
  const end = kept.indexOf('--');
  kept.splice(end < 0 ? kept.length : end, 0, '--cursor', cursor);
  return ['vlmo', ...kept].map(shellWord).join(' ');
}
