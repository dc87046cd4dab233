import type { BatchContext } from './context.ts';
import { isSamePicture } from './lookup.ts';
import type { Look } from './unread-pictures.ts';

/** Their vectors stay; what else is known of them is brought up to date. */
export async function keepAll(
  { writer, runContext, tables }: BatchContext,
  looks: readonly Look[],
): Promise<void> {
  const changed = looks.filter((look) => !isKnown(look));
  const vectors =
    changed.length > 0
      ? await tables.images.findVectors(changed.map(({ planned }) => planned.key))
      : new Map<string, Float32Array>();
  for (const { planned, stamp } of looks) {
    const { item, key, stored, failure } = planned;
    if (!stored) throw new Error(`"${item.id}" is unchanged and not stored: this is a bug`);
    const vector = vectors.get(key);
    if (vector) {
      const { run } = runContext;
      const seen = { stamp: stamp ?? stored.stamp, described: item.described ?? stored.described };
      const isSame = isSamePicture(planned, stored);
      const indexedAt = isSame ? stored.indexedAt : new Date();
      const row = { ...stored, ...seen, uri: item.uri, meta: item.meta, indexedAt, run };
      await writer.addImage(runContext, row, vector, failure, isSame ? 'skipped' : 'stored');
    } else if (failure) await writer.addSettled(runContext, failure);
    else runContext.add('skipped', 'image');
  }
}

/** Whether a row says all that is known of its picture now. */
function isKnown({ planned, stamp }: Look): boolean {
  const { item, stored } = planned;
  if (!stored || !isSamePicture(planned, stored)) return false;
  const { stamp: knownStamp, described } = stored;
  return (stamp ?? knownStamp) === knownStamp && (item.described ?? described) === described;
}
