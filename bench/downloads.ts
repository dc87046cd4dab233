import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Asked, createDownloadClient } from '#download/client.ts';
import { pictureKind } from '#download/picture-kind.ts';
import { median } from './report.ts';

const REPEATS = 3;

/**
 * Small pictures from a server of this machine, by the download client as `vlmo index` has it, and by Node's own `fetch` with as
 * many requests at a time. Nothing is decoded. The server is a process of its own and takes a part of the same cores.
 */
export async function downloads(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      pictures: { type: 'string', default: '10000' },
      bytes: { type: 'string', default: '10000' },
      'per-host': { type: 'string', default: '8' },
    },
  });
  const [pictures, perHost] = [Number(values.pictures), Number(values['per-host'])];
  const server = fork(fileURLToPath(import.meta.resolve('./downloads.process.ts')), [values.bytes]);
  try {
    const [port] = (await once(server, 'message')) as [number];
    const host = `127.0.0.1:${port}`;
    await using client = createDownloadClient({
      ...{ policy: { isOpen: true, allowed: [host] }, maxBytes: 2 ** 24, timeoutMs: 30_000, retries: 2 },
      ...{ perHost, concurrency: 64, obeysRobots: true },
    });
    const asked: Asked = { sniff: pictureKind };
    const ways: readonly (readonly [string, (url: string) => Promise<unknown>])[] = [
      ['the download client', (url) => client.get(url, asked)],
      ["Node's fetch", async (url) => (await fetch(url)).arrayBuffer()],
    ];
    console.log(`${pictures} pictures of ${values.bytes} bytes, ${perHost} at a time`);
    console.log('                       pictures/s    CPU s of the client');
    for (const [name, get] of ways) {
      const runs: { readonly rate: number; readonly cpu: number }[] = [];
      for (let repeat = 0; repeat < REPEATS; repeat++) runs.push(await measure(host, pictures, perHost, get));
      const rate = median(runs.map((one) => one.rate)).toFixed(0);
      const cpu = median(runs.map((one) => one.cpu)).toFixed(2);
      console.log(`${name.padEnd(22)} ${rate.padStart(10)} ${cpu.padStart(22)}`);
    }
  } finally {
    server.kill();
  }
}

async function measure(
  host: string,
  pictures: number,
  atOnce: number,
  get: (url: string) => Promise<unknown>,
): Promise<{ readonly rate: number; readonly cpu: number }> {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < pictures) await get(`http://${host}/${next++}.png`);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const { user, system } = process.cpuUsage(cpu);
  return { rate: pictures / ((performance.now() - began) / 1000), cpu: (user + system) / 1e6 };
}
