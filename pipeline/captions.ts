import type { CaptionRecord } from '#store/contract.ts';
import type { BatchContext } from './context.ts';
import { embedTexts } from './embed.ts';
import { isSameCaption, type PlannedCaption } from './lookup.ts';

/** A batch of captions all the way: compare with what is stored, embed, hand to the writer. */
export async function indexCaptions(context: BatchContext, batch: readonly PlannedCaption[]): Promise<void> {
  const toEmbed: PlannedCaption[] = [];
  for (const planned of batch) {
    if (planned.item.caption === planned.stored?.caption) await keep(context, planned);
    else toEmbed.push(planned);
  }
  if (toEmbed.length === 0) return;
  const embedded = await embedTexts(
    context.inference,
    toEmbed.map(({ item }) => item.caption),
  );
  for (const [i, planned] of toEmbed.entries()) {
    const result = embedded[i];
    if (result && 'isCut' in result) context.runContext.onTruncated?.(planned.item);
    if (!result) throw new Error(`No result for caption "${planned.item.id}": this is a bug`);
    if ('error' in result) await context.writer.addFailure(context.runContext, planned, result.error);
    else
      await context.writer.addCaption(
        context.runContext,
        toRecord(context.runContext.run, planned),
        result.vector,
        planned.failure,
      );
  }
}

/** Its vector stays; what else the source says of it is brought up to date. */
async function keep({ writer, runContext, tables }: BatchContext, planned: PlannedCaption): Promise<void> {
  const { stored, failure } = planned;
  const vector =
    stored && isSameCaption(planned, stored) ? undefined : await tables.captions.vector(planned.key);
  if (vector) return writer.addCaption(runContext, toRecord(runContext.run, planned), vector, failure);
  if (failure) await writer.addSettled(runContext, failure);
  else runContext.add('skipped', 'caption');
}

function toRecord(run: string, { item, key, source, imageSource }: PlannedCaption): CaptionRecord {
  const { id, uri, imageId, caption, meta } = item;
  return { key, source, id, uri, imageSource, imageId, caption, meta, indexedAt: new Date(), run };
}
