import type { Seeded } from './seeded.ts';

const PIECES = [
  ...[
    'a red circle',
    'two dogs on a beach',
    'x',
    '0',
    '007',
    '1e3',
    '-0.50',
    'NaN',
    'null',
    'true',
    '__proto__',
  ],
  ...['"', '""', "'", ',', ';', '|', '\t', '\n', '\r\n', '\\', '/', '%41', '#0', '..', '.', ' ', '  '],
  ...[
    'caf\u00e9',
    'cafe\u0301',
    '\u00a0',
    '\u200b',
    '\ufeff',
    '\u2028',
    '\u0000',
    '\u001b[31m',
    '\u202e',
    '🎨',
    '日本語',
  ],
  ...['\ud800', '\ufffd', 'ß', 'İ', 'a'.repeat(300)],
] as const;
/** Around the limits of ids, captions and what a job may hold. */
const LENGTHS = [4090, 4096, 4097, 5000, 65_536, 65_537, 70_000];

/** A text that somebody may have written somewhere. */
export function someText(seeded: Seeded): string {
  if (seeded.oneIn(60)) return 'word '.repeat(20_000).slice(0, seeded.pick(LENGTHS));
  return seeded.list(0, 4, () => seeded.pick(PIECES)).join(seeded.pick(['', ' ', ' and ']));
}

/** A value of JSON, now and then one that nobody expects. */
export function someValue(seeded: Seeded, depth = 0): unknown {
  const kind = seeded.below(depth > 3 ? 6 : 9);
  if (kind < 3) return someText(seeded);
  if (kind === 3) return seeded.pick([0, -1, 2020, 0.1, 1e21, 2 ** 53 + 2, -0]);
  if (kind === 4) return seeded.pick([null, true, false]);
  if (kind === 5) return seeded.oneIn(12) ? nested(seeded.pick([99, 100, 101, 130, 3000])) : '';
  if (kind === 6) return seeded.list(0, 3, () => someValue(seeded, depth + 1));
  return Object.fromEntries(seeded.list(0, 3, () => [someText(seeded), someValue(seeded, depth + 1)]));
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { x: value };
  return value;
}
