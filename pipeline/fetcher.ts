import type { DownloadClient } from '#download/client.ts';
import { pictureKind } from '#download/picture-kind.ts';
import { type ErrorData, isOfTheMachine, toErrorData, VlmoError } from '#errors.ts';
import type { FailureRecord, ImageRecord } from '#store/contract.ts';
import type { PlannedImage } from './lookup.ts';
import type { RunContext } from './run-context.ts';
import type { Place, Spool } from './spool.ts';

/** Gets pictures that lie elsewhere, into a spool that is bounded. */
export interface Fetcher {
  readonly client: () => Promise<DownloadClient>;
  readonly spool: Spool;
}

/** How getting a picture ended. */
export type FetchOutcome =
  | {
      readonly kind: 'bytes';
      readonly bytes: Uint8Array<ArrayBuffer>;
      /** What the server knows it by. */
      readonly stamp: string | undefined;
    }
  /** It is as it was when it was stored, or failed to be decoded. */
  | { readonly kind: 'unchanged'; readonly known: 'stored' | 'failure' }
  | { readonly kind: 'failed'; readonly error: ErrorData }
  /** The work was told to stop. */
  | { readonly kind: 'given-up' };

export interface Fetched {
  readonly planned: PlannedImage;
  readonly outcome: FetchOutcome;
  /** It is left when the picture is decoded. */
  readonly place: Place;
}

/** One picture. Rejects where the machine is at fault, not the picture or its server. */
export async function fetchPicture(
  { client }: Fetcher,
  planned: PlannedImage,
  place: Place,
  runContext: RunContext,
): Promise<FetchOutcome> {
  const { signal } = runContext;
  const known = knownBefore(planned, runContext);
  const asked = {
    ...{ sniff: pictureKind, signal, stamp: known?.stamp },
    room: (bytes: number) => place.room(bytes),
  };
  let size = 0;
  try {
    const found = await (await client()).get(planned.item.uri, asked);
    if (found.kind === 'bytes') {
      size = found.bytes.length;
      return found;
    }
    return { kind: 'unchanged', known: known === planned.stored ? 'stored' : 'failure' };
  } catch (error) {
    if (signal?.aborted) return { kind: 'given-up' };
    if (!(error instanceof VlmoError) || isOfTheMachine(error)) throw error;
    return { kind: 'failed', error: toErrorData(error, 'DOWNLOAD_FAILED') };
  } finally {
    place.arrived(size);
  }
}

/** What it need not be sent for again, where the server says that it is the same. */
function knownBefore(
  { item, stored, failure }: PlannedImage,
  { verify, retryFailed }: RunContext,
): ImageRecord | FailureRecord | undefined {
  if (verify) return undefined;
  if (stored) return stored.uri === item.uri ? stored : undefined;
  const isDecided = failure !== undefined && !failure.retriable && failure.sha256 !== null && !retryFailed;
  return isDecided && failure.uri === item.uri ? failure : undefined;
}
