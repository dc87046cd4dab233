import { ERROR_CODES } from '#errors.ts';
import type { ImageRecord } from '#store/contract.ts';
import type { PictureOutcome } from '#workers/decode/protocol.ts';
import type { BatchContext } from './context.ts';
import { embedPictures } from './embed.ts';
import { keepAll } from './keep-pictures.ts';
import type { PlannedImage } from './lookup.ts';
import { type Look, sortOut } from './unread-pictures.ts';

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
  const ready: { look: Look; outcome: Ready }[] = [];
  for (const { look, outcome } of await preprocess(context, toRead, pixels)) {
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
  const pictures = batch.map(({ planned: { item, stored, failure } }) => ({
    uri: item.uri,
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
  // A disk that is away for a while must not cost the vectors of what lies on it.
  const isUnread = outcome.sha256 === null && ERROR_CODES[outcome.error.code].retriable;
  if (isUnread && planned.stored) return runContext.add('skipped', 'image');
  return writer.addFailure(runContext, planned, outcome.error, { sha256: outcome.sha256, stamp });
}

function toRecord(run: string, { planned: { item, key, source }, stamp }: Look, outcome: Ready): ImageRecord {
  const { id, uri, meta, described = null } = item;
  const { width, height, format, bytes, sha256 } = outcome;
  const content = { width, height, format, bytes, sha256, stamp: stamp ?? null, described };
  return { key, source, id, uri, ...content, meta, indexedAt: new Date(), run };
}
