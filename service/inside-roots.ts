import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { VlmoError } from '#errors.ts';
import type { Item, Source } from '#sources/item.ts';
import { fileOf, filePath, schemeOf } from '#uri.ts';

/**
 * A source of which nothing outside of some folders is read, wherever links lead: pictures outside are broken items. Throws
 * SOURCE_OUTSIDE where it lies outside itself. A place that is none, as sources made by a program have, is let through.
 */
export async function insideRoots(source: Source, roots: readonly string[]): Promise<Source> {
  const real = await Promise.all(roots.map((root) => realpath(root)));
  for (const place of source.places ?? [source.uri]) if (!(await isInside(place, real))) throw outside(place);
  async function* items(...asked: Parameters<Source['items']>): AsyncGenerator<Item> {
    for await (const item of source.items(...asked)) {
      if (item.kind === 'broken' || (await isInside(item.uri, real))) yield item;
      else {
        const { code, message } = outside(item.uri);
        yield { kind: 'broken', id: item.id, uri: item.uri, source: item.source, error: { code, message } };
      }
    }
  }
  return {
    ...source,
    items,
    fraction: () => source.fraction(),
    ...(source.report && { report: () => source.report?.() as ReturnType<NonNullable<Source['report']>> }),
  };
}

/** What is not there cannot be read either, wherever it would be: reading it says so. */
async function isInside(uri: string, roots: readonly string[]): Promise<boolean> {
  const file = fileOf(uri);
  if ((schemeOf(file) ?? 'file') !== 'file') return true;
  const real = await realOf(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    return '';
  });
  return (
    real === undefined ||
    roots.some((root) => real === root || real.startsWith(root.endsWith(sep) ? root : root + sep))
  );
}

/** Rejects for a file URL of another machine too. */
async function realOf(file: string): Promise<string> {
  return realpath(filePath(file));
}

function outside(uri: string): VlmoError {
  return new VlmoError(
    'SOURCE_OUTSIDE',
    `Cannot read "${uri}": expected what lies in a folder that the server may read (--source-root), received what lies elsewhere`,
  );
}
