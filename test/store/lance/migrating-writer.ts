import { openStore } from '#store/lance/open-store.ts';

/** Opens an index to write, which brings it up to date, and says each step. */
const [index = ''] = process.argv.slice(2);
await using store = await openStore(index, {
  ...{ create: false, write: true },
  note: (line) => console.log(line),
});
console.log(`up to date: ${store.isWritable}`);
