import type { RunContext } from './context.ts';
import { embedTexts } from './embed.ts';
import { isSameRecord, type PlannedCaption } from './plan.ts';

/** A batch of captions all the way: compare with what is stored, embed, hand to the writer. */
export async function indexCaptions(context: RunContext, batch: readonly PlannedCaption[]): Promise<void> {
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
    if (!result) throw new Error(`No result for caption "${planned.item.id}": this is a bug`);
    if ('error' in result) await context.writer.addFailure(planned, result.error, null);
    else await context.writer.addCaption(toRecord(context.run, planned), result.vector, planned.failure);
  }
}

/** Its vector stays; what else the source says of it is brought up to date. */
async function keep({ writer, progress, tables, run }: RunContext, planned: PlannedCaption): Promise<void> {
  const { item, stored, failure } = planned;
  const vector = stored && isSameRecord(item, stored) ? undefined : await tables.captions.vector(item.id);
  if (vector) return writer.addCaption(toRecord(run, planned), vector, failure);
  progress.add('skipped');
  if (failure) await writer.addSettled(failure);
}

function toRecord(run: string, { item }: PlannedCaption): Parameters<RunContext['writer']['addCaption']>[0] {
  const { id, uri, imageId, caption, meta } = item;
  return { id, uri, imageId, caption, meta, indexedAt: new Date(), run };
}
