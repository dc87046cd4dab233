import type { CommandConfig } from '#config/commands.ts';
import { openIndex } from '#service/open-index.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { formatCount, note, print, printable, printJson } from './output.ts';

/** `vlmo failures`: what could not be stored, and why. */
export async function runFailures({ index, collection, json }: CommandConfig<'failures'>): Promise<void> {
  await using opened = await openIndex(index);
  let count = 0;
  for await (const { key, source, id, uri, code, message, attempts } of opened.failures(collection)) {
    count += 1;
    if (json) printJson({ id, uri, code, message, attempts, key, source });
    else print(`${printable(id)}\n  ${printable(message)}\n  ${code}, ${tried(attempts)}`);
  }
  if (!json) note(summary(count));
  process.exitCode = EXIT_DONE;
}

function tried(count: number): string {
  return count === 1 ? 'tried once' : `tried ${count} times`;
}

function summary(count: number): string {
  if (count === 0) return 'Nothing has failed.';
  return `${formatCount(count)} failed. When the cause is gone: vlmo index SOURCE … --retry-failed, or, with workers: vlmo queue retry-failed --index …`;
}
