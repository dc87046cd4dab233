import { isRemote } from '#download/remote.ts';
import { fileStamp } from '#sources/file-stamp.ts';
import type { FailureRecord, ImageRecord } from '#store/contract.ts';
import type { BatchContext } from './context.ts';
import type { PlannedImage } from './lookup.ts';

/** A picture, and what its file, or the server that it is of, knows it by. */
export interface Look {
  readonly planned: PlannedImage;
  readonly stamp: string | undefined;
  /** Where it was downloaded. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

/** Which pictures have to be read: a file that is as it was has the content that it had. What failed before is listed again. */
export async function sortOut(
  context: BatchContext,
  batch: readonly PlannedImage[],
): Promise<{ readonly toRead: readonly Look[]; readonly kept: Look[] }> {
  const { retryFailed, verify = false } = context.runContext;
  const looks = await Promise.all(
    batch.map(async (planned): Promise<Look> => ({ planned, stamp: await fileStamp(planned.item.uri) })),
  );
  const toRead: Look[] = [];
  const kept: Look[] = [];
  for (const look of looks) {
    const { item, stored, failure } = look.planned;
    const isAsItWas = (known: ImageRecord | FailureRecord | undefined): boolean =>
      !verify && known?.uri === item.uri && known.stamp !== null && known.stamp === look.stamp;
    if (
      !retryFailed &&
      (isDecidedUnread(look.planned) || (failure?.retriable === false && isAsItWas(failure)))
    )
      await keepFailure(context, look.planned);
    else if (isAsItWas(stored)) kept.push(look);
    else toRead.push(look);
  }
  return { toRead, kept };
}

/**
 * A failure that was found without reading the content (a file too large, a URL without anything): nothing but a retry looks
 * again. Where only we refused a URL, that may be allowed now.
 */
export function isDecidedUnread({ item, failure }: PlannedImage): boolean {
  if (failure === undefined || failure.retriable || failure.sha256 !== null) return false;
  return !(isRemote(item.uri) && failure.code.startsWith('URL_'));
}

/** It fails as it did before: listed again as met by this run. */
export function keepFailure(
  { runContext, writer }: BatchContext,
  { item, failure }: PlannedImage,
): Promise<void> {
  if (!failure) throw new Error(`"${item.id}" has no failure to keep: this is a bug`);
  return writer.addKnownFailure(runContext, failure);
}
