import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { createGzip, createZstdCompress } from 'node:zlib';
import { createTarDecoder } from 'modern-tar';
import { extract, pack } from 'tar-stream';
import { readPicture } from '#pictures/read-picture.ts';
import { openSource } from '#sources/open-source.ts';
import { median } from './report.ts';

const REPEATS = 5;
const MAX_BYTES = 2 ** 24;

/**
 * Reading a tar of samples, each a picture and a text of as many bytes, and pairing them: as a source; as a source whose pictures are read as
 * decode processes read them; and by `tar-stream` and `modern-tar`, which read every content. Entries a second, as a part of the source's.
 */
export async function tars(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      entries: { type: 'string', default: '100000' },
      bytes: { type: 'string', default: '2000' },
      folder: { type: 'string', default: tmpdir() },
    },
  });
  const [entries, bytes] = [Number(values.entries), Number(values.bytes)];
  const folder = await mkdtemp(join(values.folder, 'vlmo-bench-tars-'));
  // Copies of packed tars are of this benchmark alone.
  process.env.TMPDIR = folder;
  try {
    const tar = join(folder, 'x.tar');
    await pipeline(packSamples(entries / 2, bytes), createWriteStream(tar));
    const size = (await stat(tar)).size;
    console.log(`${entries} entries of ${bytes} bytes, ${(size / 2 ** 20).toFixed(0)} MiB`);
    console.log('                                 entries/s     MiB/s    ratio');
    const source = await report('as a source', entries, size, () => readItems(tar, false));
    const rest: readonly (readonly [string, () => Promise<number>])[] = [
      ['as a source, and each picture', () => readItems(tar, true)],
      ['tar-stream, paired', () => pair(tarStreamEntries(tar))],
      ['modern-tar, paired', () => pair(modernTarEntries(tar))],
    ];
    for (const [name, read] of rest) await report(name, entries, size, read, source);
    for (const [ending, packer] of [
      ['tar.gz', createGzip],
      ['tar.zst', createZstdCompress],
    ] as const) {
      const packed = `${tar.slice(0, -4)}.${ending}`;
      await pipeline(createReadStream(tar), packer(), createWriteStream(packed));
      await report(`${ending}, not unpacked yet`, entries, size, () => readItems(packed, false), source, 1);
      await report(`${ending}, unpacked before`, entries, size, () => readItems(packed, false), source);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs a reading that gives the number of its samples; resolves with its entries a second. */
async function report(
  name: string,
  entries: number,
  size: number,
  read: () => Promise<number>,
  source?: number,
  repeats = REPEATS,
): Promise<number> {
  const seconds: number[] = [];
  for (let n = 0; n < repeats; n++) {
    const start = performance.now();
    const samples = await read();
    seconds.push((performance.now() - start) / 1000);
    if (samples * 2 !== entries)
      throw new Error(`${name}: expected ${entries / 2} samples, received ${samples}`);
  }
  const rate = entries / median(seconds);
  const cells = [
    name.padEnd(30),
    rate.toFixed(0).padStart(12),
    (size / 2 ** 20 / median(seconds)).toFixed(0).padStart(10),
    (rate / (source ?? rate)).toFixed(2).padStart(9),
  ];
  console.log(cells.join(''));
  return rate;
}

function packSamples(samples: number, bytes: number): Readable {
  const tar = pack();
  const picture = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(bytes - 3, 0x11)]);
  const put = (name: string, content: Buffer) =>
    new Promise<void>((resolve, reject) => {
      tar.entry({ name }, content, (error) => (error ? reject(error) : resolve()));
    });
  async function fill(): Promise<void> {
    for (let n = 0; n < samples; n++) {
      const key = String(n).padStart(9, '0');
      await put(`${key}.jpg`, picture);
      await put(`${key}.txt`, Buffer.from(`a caption ${key} `.repeat(bytes).slice(0, bytes)));
    }
    tar.finalize();
  }
  fill().catch((error: Error) => tar.destroy(error));
  return Readable.from(tar);
}

async function readItems(tar: string, arePicturesRead: boolean): Promise<number> {
  let captions = 0;
  let bytes = 0;
  for await (const item of (await openSource(tar)).items()) {
    if (item.kind === 'broken') throw new Error(item.error.message);
    if (item.kind === 'caption') captions += 1;
    else if (arePicturesRead) bytes += readPicture(item.uri, MAX_BYTES).length;
  }
  return arePicturesRead && bytes === 0 ? 0 : captions;
}

interface Entry {
  readonly name: string;
  readonly content: Buffer;
}

/** Samples of which both parts came. */
async function pair(entries: AsyncIterable<Entry>): Promise<number> {
  let [open, samples] = ['', 0];
  for await (const { name, content } of entries) {
    const [, key = '', ending] = /^((?:.*\/|)[^.]+)[.]([^/]*)$/.exec(name) ?? [];
    if (ending === 'txt' && key === open && content.toString('utf8').trim() !== '') samples += 1;
    open = key;
  }
  return samples;
}

async function* tarStreamEntries(tar: string): AsyncGenerator<Entry> {
  for await (const entry of createReadStream(tar, { highWaterMark: 2 ** 18 }).pipe(extract())) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    yield { name: entry.header.name, content: Buffer.concat(parts) };
  }
}

async function* modernTarEntries(tar: string): AsyncGenerator<Entry> {
  const bytes = Readable.toWeb(createReadStream(tar, { highWaterMark: 2 ** 18 }));
  for await (const { header, body } of (bytes as globalThis.ReadableStream<Uint8Array>).pipeThrough(
    createTarDecoder(),
  )) {
    const parts: Uint8Array[] = [];
    for await (const part of body) parts.push(part);
    yield { name: header.name, content: Buffer.concat(parts) };
  }
}
