import { type ErrorData, isOfTheMachine, toErrorData, VlmoError } from '#errors.ts';
import { isInPackedTar, unpackTar } from '#pictures/unpacked-tar.ts';
import { fileOf } from '#uri.ts';
import type { PictureTask } from './protocol.ts';

/**
 * Unpacks the tars that pictures lie in before their decoding begins, which is timed: a large tar takes longer than a picture may. Resolves
 * with what is wrong with each tar, by its uri; undefined where nothing has to be unpacked. Throws MACHINE_FAILED.
 */
export function unpackFirst(
  pictures: readonly PictureTask[],
): Promise<ReadonlyMap<string, ErrorData>> | undefined {
  const tars = new Set(
    pictures
      .map(({ uri }) => uri)
      .filter(isInPackedTar)
      .map(fileOf),
  );
  return tars.size > 0 ? unpackAll(tars) : undefined;
}

async function unpackAll(tars: ReadonlySet<string>): Promise<ReadonlyMap<string, ErrorData>> {
  const failed = new Map<string, ErrorData>();
  for (const tar of tars) {
    try {
      await unpackTar(tar);
    } catch (error) {
      if (isOfTheMachine(error)) throw error;
      // One that is gone is for who reads it to say.
      if (error instanceof VlmoError) failed.set(tar, toErrorData(error, 'ITEM_UNREADABLE'));
    }
  }
  return failed;
}
