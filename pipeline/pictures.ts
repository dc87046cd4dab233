import { isRemote } from '#download/remote.ts';
import { ERROR_CODES, type ErrorCode } from '#errors.ts';
import type { ImageRecord } from '#store/contract.ts';
import type { PictureOutcome } from '#workers/decode/protocol.ts';
import type { BatchContext } from './context.ts';
import { embedPictures } from './embed.ts';
import type { Fetched } from './fetcher.ts';
import { keepAll } from './keep-pictures.ts';
import type { PlannedImage } from './lookup.ts';
import { keepFailure, type Look, sortOut } from './unread-pictures.ts';

type Ready = Extract<PictureOutcome, { kind: 'ready' }>;

/**
 * A batch of pictures all the way: read, compare with what is stored, decode into the slab, embed, hand to the writer.
 * Each ends as stored, skipped or failed.
 */
export async function indexPictures(
  context: BatchContext,
  batch: readonly PlannedImage[],
  pixels: SharedArrayBuffer,
): Promise<void> {
  const { toRead, kept } = await sortOut(context, batch);
  await indexLooks(context, toRead, kept, pixels);
}

/** As `indexPictures`, of pictures that were downloaded, or could not be. */
export async function indexFetched(
  context: BatchContext,
  batch: readonly Fetched[],
  pixels: SharedArrayBuffer,
): Promise<void> {
  const toRead: Look[] = [];
  const kept: Look[] = [];
  const leave = (): void => {
    for (const { place } of batch) place.leave();
  };
  try {
    for (const { planned, outcome } of batch) {
      if (outcome.kind === 'bytes') toRead.push({ planned, stamp: outcome.stamp, bytes: outcome.bytes });
      else if (outcome.kind === 'failed')
        await settle(context, { planned, stamp: undefined }, { ...outcome, sha256: null });
      else if (outcome.kind === 'unchanged' && outcome.known === 'stored')
        kept.push({ planned, stamp: undefined });
      else if (outcome.kind === 'unchanged') await keepFailure(context, planned);
    }
    await indexLooks(context, toRead, kept, pixels, leave);
  } finally {
    leave();
  }
}

/** `onRead` is called when the bytes of all are used. */
async function indexLooks(
  context: BatchContext,
  toRead: readonly Look[],
  kept: Look[],
  pixels: SharedArrayBuffer,
  onRead: () => void = () => undefined,
): Promise<void> {
  const ready: { look: Look; outcome: Ready }[] = [];
  const preprocessed = await preprocess(context, toRead, pixels);
  onRead();
  for (const { look, outcome } of preprocessed) {
    if (outcome.kind === 'ready') ready[outcome.slot] = { look, outcome };
    else if (outcome.kind === 'unchanged') kept.push(look);
    else await settle(context, look, outcome);
  }
  await keepAll(context, kept);
  if (ready.length === 0) return;
  const embedded = await embedPictures(context.inference, pixels, ready.length, context.pictureBytes);
  for (const [slot, { look, outcome }] of ready.entries()) {
    const result = embedded[slot];
    if (!result) throw new Error(`No result for slot ${slot}: this is a bug`);
    const { runContext, writer } = context;
    const { planned, stamp } = look;
    if ('error' in result)
      await writer.addFailure(runContext, planned, result.error, { sha256: outcome.sha256, stamp });
    else
      await writer.addImage(
        runContext,
        toRecord(runContext.run, look, outcome),
        result.vector,
        planned.failure,
      );
  }
}

interface Preprocessed {
  readonly look: Look;
  readonly outcome: PictureOutcome;
}

async function preprocess(
  context: BatchContext,
  batch: readonly Look[],
  pixels: SharedArrayBuffer,
): Promise<Preprocessed[]> {
  if (batch.length === 0) return [];
  const pictures = batch.map(({ planned: { item, stored, failure }, bytes }) => ({
    uri: item.uri,
    ...(bytes && { bytes }),
    storedSha256: stored?.sha256 ?? null,
    verify: context.runContext.verify,
    failedSha256: failure && !context.runContext.retryFailed && !failure.retriable ? failure.sha256 : null,
  }));
  const outcomes = await context.preprocess.run({ pixels, firstSlot: 0, pictures });
  return batch.map((look, i) => ({ look, outcome: outcomes[i] as PictureOutcome }));
}

/** A picture that is not embedded: it failed as before, or now. */
async function settle(
  { runContext, writer }: BatchContext,
  { planned, stamp }: Look,
  outcome: Extract<PictureOutcome, { kind: 'known-failure' | 'failed' }>,
): Promise<void> {
  if (outcome.kind === 'known-failure') {
    const { failure } = planned;
    if (!failure) throw new Error(`"${planned.item.id}" has no failure to keep: this is a bug`);
    return writer.addKnownFailure(runContext, { ...failure, stamp: stamp ?? null });
  }
  if (planned.stored && outcome.sha256 === null && staysStored(planned.item.uri, outcome.error.code))
    return runContext.add('skipped', 'image');
  return writer.addFailure(runContext, planned, outcome.error, { sha256: outcome.sha256, stamp });
}

/**
 * Whether what is stored of a picture stays, now that it could not be read: a disk that is away for a while must not cost
 * the vectors of what lies on it, nor a server that has lost a picture. What its server keeps from data sets goes.
 */
function staysStored(uri: string, code: ErrorCode): boolean {
  return isRemote(uri) ? code !== 'ROBOTS_REFUSED' : ERROR_CODES[code].retriable;
}

function toRecord(run: string, { planned: { item, key, source }, stamp }: Look, outcome: Ready): ImageRecord {
  const { id, uri, meta, described = null } = item;
  const { width, height, format, bytes, sha256 } = outcome;
  const content = { width, height, format, bytes, sha256, stamp: stamp ?? null, described };
  return { key, source, id, uri, ...content, meta, indexedAt: new Date(), run };
}
