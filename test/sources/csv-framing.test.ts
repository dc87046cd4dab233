import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { csvFraming } from '#sources/csv-framing.ts';

const CSV = { kind: 'csv', delimiter: ',', quoted: true, spaced: false } as const;

interface Framed {
  readonly text: string;
  readonly line: number;
  readonly reason: string | undefined;
}

function frames(text: string): readonly Framed[] {
  const find = csvFraming(CSV);
  const bytes = Buffer.from(text);
  const found: Framed[] = [];
  let line = 1;
  for (let start = 0; start < bytes.length; ) {
    const frame = find(bytes, start, true);
    assert.ok(frame !== undefined && frame.end > start);
    const { end, lines, reason } = frame;
    if (!frame.blank) found.push({ text: bytes.toString('utf8', start, end), line, reason });
    line += lines;
    start = end;
  }
  return found;
}

test('csvFraming: a row with quoted line breaks is one record and counts its lines', () => {
  assert.deepEqual(frames('a,"b\nc\r\n""d"""\r\ne,f\n'), [
    { text: 'a,"b\nc\r\n""d"""\r\n', line: 1, reason: undefined },
    { text: 'e,f\n', line: 4, reason: undefined },
  ]);
});

test('csvFraming: a bad quote costs its line and no other', () => {
  const bad = ['a,b"c"\n', 'a,"b"c\n', 'a,"b\n', '"\n', 'a, "b"\n', '"a"\rb\n', 'a,"b" ,c\n'];
  for (const row of bad) {
    const found = frames(`x,y\n${row}1,2\n3,4\n`);
    assert.deepEqual(
      found.map(({ text }) => text),
      ['x,y\n', row, '1,2\n', '3,4\n'],
    );
    assert.deepEqual(
      found.map(({ reason }) => reason?.startsWith('expected') ?? false),
      [false, true, false, false],
      row,
    );
  }
});

test('csvFraming: asks for more bytes exactly while the end of the row is not in sight', () => {
  const row = 'a,"b\n""c""",d\r\n';
  const find = csvFraming(CSV);
  for (let length = 1; length < row.length; length++) {
    assert.equal(find(Buffer.from(row.slice(0, length)), 0, false), undefined, `${length} bytes`);
  }
  assert.deepEqual(find(Buffer.from(row), 0, false), { end: row.length, lines: 2 });
});

test('csvFraming: csv-parse reads each usable record, alone or with its neighbours, as one row', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const options = { record_delimiter: ['\r\n', '\n'], relax_column_count: true };
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: random(14) }, () => 'ab"",,\n\n\r '[random(10)]).join('');
    const usable = frames(text).filter(({ reason }) => reason === undefined);
    const alone = usable.flatMap((record) => {
      const rows = parse(record.text, options);
      assert.equal(rows.length, 1, JSON.stringify(record.text));
      return rows;
    });
    const joined = usable.map((record, index) =>
      index === usable.length - 1 ? record.text : endLine(record.text),
    );
    assert.deepEqual(parse(joined.join(''), options), alone, JSON.stringify(text));
  }
});

function endLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
