/** One JSON object a line on stdout, which holds nothing else then. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Lines for a person. */
export function print(lines: string): void {
  process.stdout.write(`${printableLines(lines)}\n`);
}

/** Lines for a person beside the output: progress, notes, warnings. */
export function note(lines: string): void {
  process.stderr.write(`${printableLines(lines)}\n`);
}

/** Rows in aligned columns; the last column is not padded. Control characters of hostile names are shown, not sent. */
export function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  return cells
    .map((row) =>
      row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '),
    )
    .join('\n');
}

/** A terminal obeys control characters: file names and captions must not reach it with any, nor turn the line around. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (char) => {
    const hex = char.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex}` : `\\x${hex.padStart(2, '0')}`;
  });
}

function printableLines(lines: string): string {
  return lines.split('\n').map(printable).join('\n');
}

export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1 job`, `2,000 jobs`. */
export function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A word as a shell takes it, in a command that can be pasted. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `1 h 05 min`, `3 min 20 s`, `12 s`, `0.4 s`. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, '0')} min`;
  return minutes > 0 ? `${minutes} min ${String(whole % 60).padStart(2, '0')} s` : `${whole} s`;
}
