import { access, constants, stat } from 'node:fs/promises';
import { VlmoError } from '#errors.ts';
import { filePath, schemeOf } from '#uri.ts';
import type { Source, SourceOptions } from '../item.ts';
import { listTars } from './tar-list.ts';
import { isTar } from './tar-name.ts';
import { createTarSource } from './tar-source.ts';

/**
 * A tar, or each of a list (`shard-{000..012}.tar`, `a.tar::b.tar`), of which those that are not there are listed as failed. Undefined where
 * it names none, or one that is no file. `toUri` makes the uri of a path that somebody named. Throws USAGE_INVALID.
 */
export async function openTars(
  spec: string,
  options: SourceOptions,
  toUri: (spec: string) => string,
): Promise<Source | undefined> {
  if (!isTar(spec) || (schemeOf(spec) ?? 'file') !== 'file') return undefined;
  const path = filePath(toUri(spec));
  const alone = await stat(path).catch(() => undefined);
  if (alone && (!alone.isFile() || !(await isReadable(path)))) return undefined;
  const tars = alone ? [spec] : listTars(spec);
  if (!alone && (tars[0] === spec || !tars.every(isTar))) return undefined;
  const { format, include = [], exclude = [], imageFolder, splits } = options;
  const ofTable = [format, imageFolder, splits].some((one) => one !== undefined);
  if (ofTable || include.length > 0 || exclude.length > 0)
    throw new VlmoError(
      'USAGE_INVALID',
      `Cannot open source "${spec}": --format, --image-folder and --split are of a table, --include and --exclude of a folder, and this is a tar`,
    );
  const parts = alone || schemeOf(spec) !== undefined ? [spec] : spec.split('::');
  return createTarSource(parts.map(toUri).join('::'), [...new Set(tars.map(toUri))], options);
}

function isReadable(path: string | Buffer): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
