import { createHash } from 'node:crypto';
import { errorMessage } from '#errors.ts';
import { MAX_NAME, parseItem } from '#queue/job.ts';
import type { Item } from '#sources/item.ts';

/**
 * The items of a source as both ways through the door take them: what does not fit a job is listed as failed, with the
 * reason, whether it goes through the queue or not.
 */
export async function* fitItems(items: AsyncIterable<Item>): AsyncGenerator<Item> {
  for await (const item of items) yield fitItem(item);
}

function fitItem(item: Item): Item {
  try {
    parseItem(item);
    return item;
  } catch (error) {
    const [id, uri] = [shortName(item.id), shortName(item.uri)];
    const message = errorMessage(error).replace(/^Cannot take job/, `Cannot index "${shown(id)}"`);
    // One that has no source of its own has no such field: both doors list the same.
    const source = item.source !== undefined && { source: item.source };
    return { kind: 'broken', ...source, id, uri, error: { code: 'SOURCE_ROW_INVALID', message } };
  }
}

/** A name that fits, and is another one for another name: its beginning, and a digest of the whole. */
function shortName(name: string): string {
  if (name === '') return '(empty)';
  if (name.length <= MAX_NAME) return name;
  return `${name.slice(0, 200).toWellFormed()}… ${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

function shown(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80).toWellFormed()}…` : name;
}
