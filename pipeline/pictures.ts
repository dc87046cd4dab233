import { ERROR_CODES } from '#errors.ts';
import type { ImageRecord } from '#store/contract.ts';
import type { PictureOutcome } from '#workers/decode/protocol.ts';
import type { BatchContext } from './context.ts';
import { embedPictures } from './embed.ts';
import { isSamePicture, type PlannedImage } from './lookup.ts';

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
  const toRead: PlannedImage[] = [];
  for (const planned of batch) {
    if (!context.runContext.retryFailed && isKnownUnread(planned)) await keepFailure(context, planned);
    else toRead.push(planned);
  }
  const outcomes = await preprocess(context, toRead, pixels);
  const ready: { planned: PlannedImage; outcome: Ready }[] = [];
  for (const { planned, outcome } of outcomes) {
    if (outcome.kind === 'ready') ready[outcome.slot] = { planned, outcome };
    else await settle(context, planned, outcome);
  }
  if (ready.length === 0) return;
  const embedded = await embedPictures(context.inference, pixels, ready.length, context.pictureBytes);
  for (const [slot, { planned, outcome }] of ready.entries()) {
    const result = embedded[slot];
    if (!result) throw new Error(`No result for slot ${slot}: this is a bug`);
    const { runContext, writer } = context;
    if ('error' in result) await writer.addFailure(runContext, planned, result.error, outcome.sha256);
    else
      await writer.addImage(
        runContext,
        toRecord(runContext.run, planned, outcome),
        result.vector,
        planned.failure,
      );
  }
}

/** A failure that was found without reading the content (a URL, a file too large): nothing but a retry looks again. */
function isKnownUnread({ failure }: PlannedImage): boolean {
  return failure !== undefined && !failure.retriable && failure.sha256 === null;
}

/** It fails as it did before: listed again as met by this run. */
function keepFailure({ runContext, writer }: BatchContext, { item, failure }: PlannedImage): Promise<void> {
  if (!failure) throw new Error(`"${item.id}" has no failure to keep: this is a bug`);
  return writer.addKnownFailure(runContext, failure);
}

interface Preprocessed {
  readonly planned: PlannedImage;
  readonly outcome: PictureOutcome;
}

async function preprocess(
  context: BatchContext,
  batch: readonly PlannedImage[],
  pixels: SharedArrayBuffer,
): Promise<Preprocessed[]> {
  const pictures = batch.map(({ item, stored, failure }) => ({
    uri: item.uri,
    storedSha256: stored?.sha256 ?? null,
    failedSha256: failure && !context.runContext.retryFailed && !failure.retriable ? failure.sha256 : null,
  }));
  const outcomes = await context.preprocess.run({ pixels, firstSlot: 0, pictures });
  return batch.map((planned, i) => ({ planned, outcome: outcomes[i] as PictureOutcome }));
}

/** A picture that is not embedded: unchanged, failed as before, or failed now. */
async function settle(
  context: BatchContext,
  planned: PlannedImage,
  outcome: Exclude<PictureOutcome, Ready>,
): Promise<void> {
  if (outcome.kind === 'known-failure') return keepFailure(context, planned);
  if (outcome.kind === 'unchanged' && planned.stored) return keep(context, planned, planned.stored);
  if (outcome.kind === 'unchanged')
    throw new Error(`"${planned.item.id}" is unchanged and not stored: this is a bug`);
  // A disk that is away for a while must not cost the vectors of what lies on it.
  const isUnread = outcome.sha256 === null && ERROR_CODES[outcome.error.code].retriable;
  if (isUnread && planned.stored) return context.runContext.add('skipped');
  return context.writer.addFailure(context.runContext, planned, outcome.error, outcome.sha256);
}

/** Its vector stays; what else the source says of it is brought up to date. */
async function keep(
  { writer, runContext, tables }: BatchContext,
  planned: PlannedImage,
  stored: ImageRecord,
): Promise<void> {
  const { item, failure } = planned;
  const vector = isSamePicture(planned, stored) ? undefined : await tables.images.vector(planned.key);
  if (vector) {
    const row = { ...stored, uri: item.uri, meta: item.meta, indexedAt: new Date(), run: runContext.run };
    return writer.addImage(runContext, row, vector, failure);
  }
  if (failure) await writer.addSettled(runContext, failure);
  else runContext.add('skipped');
}

function toRecord(run: string, { item, key, source }: PlannedImage, outcome: Ready): ImageRecord {
  const { width, height, format, bytes, sha256 } = outcome;
  return {
    key,
    source,
    id: item.id,
    uri: item.uri,
    width,
    height,
    format,
    bytes,
    sha256,
    meta: item.meta,
    indexedAt: new Date(),
    run,
  };
}
