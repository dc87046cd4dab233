import type { CommandConfig } from '#config/commands.ts';
import { listSources } from '#runs/list-sources.ts';
import { openStore } from '#store/lance/open-store.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { counted, note, print, printable, printJson } from './output.ts';

/** `vlmo sources`: where the items of an index came from, with how many of each. */
export async function runSources({ index, json }: CommandConfig<'sources'>): Promise<void> {
  await using store = await openStore(index, { create: false });
  const sources = await listSources(store);
  for (const { collection, name, place, images, captions, failed } of sources) {
    if (json) printJson({ collection, source: name, place, images, captions, failed });
    else {
      const at = place === null || place === name ? '' : `, at ${printable(place)}`;
      const counts = [counted(images, 'picture'), counted(captions, 'caption'), `${failed} failed`];
      print(`${printable(name)}\n  collection ${collection}${at}: ${counts.join(', ')}`);
    }
  }
  if (!json && sources.length === 0) note('The index holds nothing yet.');
  process.exitCode = EXIT_DONE;
}
