import type { BatchContext } from './context.ts';
import { type Fetched, type Fetcher, fetchPicture } from './fetcher.ts';
import type { PlannedImage } from './lookup.ts';
import { isDecidedUnread, keepFailure } from './unread-pictures.ts';

/**
 * Gets pictures and hands them on in batches, in the order in which they come: a slow one keeps nobody. Resolves when the
 * last one has been asked for, which waits for a place in the spool, with the end: then all are handed on. A batch that is
 * not full goes on when nothing more comes, or somebody waits for its room.
 */
export async function fetchPictures(
  fetcher: Fetcher,
  context: BatchContext,
  images: readonly PlannedImage[],
  batchSize: number,
  handOn: (batch: readonly Fetched[]) => void,
): Promise<{ readonly end: Promise<void> }> {
  let batch: Fetched[] = [];
  const flush = (): void => {
    const full = batch;
    batch = [];
    if (full.length > 0) handOn(full);
  };
  const { runContext } = context;
  const watching = fetcher.spool.whenFull(flush);
  const fetches: Promise<void>[] = [];
  const get = async (planned: PlannedImage): Promise<void> => {
    const place = await fetcher.spool.enter();
    const fetching = fetchPicture(fetcher, planned, place, runContext).then(
      (outcome) => {
        batch.push({ planned, outcome, place });
        if (batch.length >= batchSize || fetcher.spool.isFull) flush();
      },
      (error: unknown) => {
        place.leave();
        throw error;
      },
    );
    // It is waited for below, when the others are under way too.
    fetching.catch(() => undefined);
    fetches.push(fetching);
  };
  try {
    for (const planned of images) {
      if (runContext.signal?.aborted) break;
      if (!runContext.retryFailed && isDecidedUnread(planned)) await keepFailure(context, planned);
      else await get(planned);
    }
  } catch (error) {
    fetches.push(Promise.reject(error));
  }
  const end = Promise.allSettled(fetches).then(async () => {
    flush();
    watching[Symbol.dispose]();
    await Promise.all(fetches);
  });
  end.catch(() => undefined);
  return { end };
}
