/** A block that `tar` would write before a file; another `type` for what is none. */
export function tarHeader(name: string, size: number, type = '0'): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100, 'utf8');
  block.write('0000644\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

export function tarFile(name: string, content: string | Uint8Array, type = '0'): Buffer {
  const bytes = Buffer.from(content as string);
  const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
  return Buffer.concat([tarHeader(name, bytes.length, type), bytes, padding]);
}

export const TAR_END = Buffer.alloc(1024);

/** A file with PAX records before it; with the letter `g` they are about all files. */
export function paxFile(
  records: Readonly<Record<string, string>>,
  name: string,
  content: string | Uint8Array,
  type = 'x',
): Buffer {
  const lines = Object.entries(records).map(([key, value]) => paxRecord(` ${key}=${value}\n`));
  return Buffer.concat([tarFile('pax', lines.join(''), type), tarFile(name, content)]);
}

/** Its length counts its own digits. */
function paxRecord(rest: string): string {
  const bytes = Buffer.byteLength(rest);
  const digits = [1, 2, 3, 4].find((count) => String(bytes + count).length === count) ?? 0;
  return `${bytes + digits}${rest}`;
}
