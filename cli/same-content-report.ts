import type { SameContent } from '#runs/same-content.ts';
import { counted, printable, shellWord } from './output.ts';

/** Other sources with pictures of the same content, for `--json`; nothing where there are none. */
export function sameContentJson(same: readonly SameContent[]): object {
  if (same.length === 0) return {};
  return {
    same_content: same.map(({ source, pictures, isMoved }) => ({ source, images: pictures, moved: isMoved })),
  };
}

/** The same for people, and what to do where a source was moved. */
export function sameContentLines(same: readonly SameContent[], own: string): string[] {
  if (same.length === 0) return [];
  const all = same.map(({ source, pictures }) => `${counted(pictures, 'picture')} of "${printable(source)}"`);
  const lines = [`Other sources hold the same content: ${all.join(', ')}.`];
  for (const { source } of same.filter(({ isMoved }) => isMoved)) {
    const [old, name] = [shellWord(source), shellWord(own)];
    lines.push(
      `"${printable(source)}" is gone from its place, and its pictures are here with their ids. If it was moved: vlmo remove --source ${old}, then vlmo sources rename ${name} ${old}; --source ${old} --source-moved would have kept its vectors.`,
    );
  }
  for (const { source } of same.filter(({ isSamePlace }) => isSamePlace))
    lines.push(
      `"${printable(source)}" was read from the same place: --source ${shellWord(source)} goes on with it, vlmo remove --source ${shellWord(own)} takes this one out.`,
    );
  return lines;
}
