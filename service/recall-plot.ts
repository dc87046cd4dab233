import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import sharp from 'sharp';
import type { RecallReport } from '#search/measure-recall.ts';

export interface RecallCurve {
  /** What is searched by what. */
  readonly title: string;
  readonly report: RecallReport;
}

/** Writes recall and latency over the partitions looked into, as SVG, or as PNG where the name ends so. */
export async function writeRecallPlot(file: string, curves: readonly RecallCurve[]): Promise<void> {
  const svg = recallPlot(curves);
  const isPng = extname(file).toLowerCase() === '.png';
  await writeFile(file, isPng ? await sharp(Buffer.from(svg), { density: 144 }).png().toBuffer() : svg);
}

const WIDTH = 760;
const LEFT = 80;
const RIGHT = 730;
const RECALL = { top: 70, bottom: 280 };
const LATENCY = { top: 340, bottom: 550 };
const HEIGHT = 610;
const COLOURS = ['#0b62a4', '#c2410c', '#15803d', '#7e22ce'];

/** Two charts above each other: recall, and milliseconds with those of exact search as a dashed line. */
export function recallPlot(curves: readonly RecallCurve[]): string {
  const settings = curves.flatMap(({ report }) => report.settings);
  const probes = [...new Set(settings.map((setting) => setting.probes))].sort((a, b) => a - b);
  const least = Math.min(...settings.map(({ recall }) => recall));
  const bottom = least >= 0.9 ? 0.9 : Math.floor(least * 5) / 5;
  const most = Math.max(
    ...settings.map(({ latency }) => latency.median),
    ...curves.map(({ report }) => report.exact.median),
  );
  const first = curves[0]?.report;
  const x = xScale(probes);
  const recallY = yScale(RECALL, bottom, 1);
  const times = ticks(0, most);
  const latencyY = yScale(LATENCY, 0, times.at(-1) ?? most);
  const lines = curves.map(({ report }, i) => {
    const at = (y: (value: number) => number, value: (setting: Setting) => number): Point[] =>
      report.settings.map((setting) => [x(setting.probes), y(value(setting))]);
    const colour = COLOURS[i % COLOURS.length] ?? '';
    const exact = latencyY(report.exact.median);
    return [
      curve(
        at(recallY, (setting) => setting.recall),
        colour,
      ),
      curve(
        at(latencyY, (setting) => setting.latency.median),
        colour,
      ),
      `<path d="M${LEFT} ${exact}H${RIGHT}" stroke="${colour}" stroke-dasharray="7 5" fill="none"/>`,
    ].join('');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13" fill="#222">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text(LEFT, 24, 'Approximate search against exact search', 'start', 'font-size="17" font-weight="bold"'),
    ...curves.map(({ title, report }, i) =>
      legend(i, `${title}, ${report.queries.toLocaleString('en-US')} queries`),
    ),
    axes(RECALL, `recall@${first?.k ?? 0}`, ticks(bottom, 1), recallY, (value) => value.toFixed(2)),
    axes(LATENCY, 'median ms a query (dashed: exact)', times, latencyY, (value) => String(value)),
    ...spaced(probes, x).map((count) => text(x(count), LATENCY.bottom + 20, String(count), 'middle')),
    text((LEFT + RIGHT) / 2, LATENCY.bottom + 44, 'partitions looked into (probes)', 'middle'),
    ...lines,
    '</svg>\n',
  ].join('\n');
}

type Setting = RecallReport['settings'][number];
type Point = readonly [number, number];
interface Panel {
  readonly top: number;
  readonly bottom: number;
}

/** Each doubling is as wide as the one before. */
function xScale(probes: readonly number[]): (value: number) => number {
  const [low, high] = [Math.log2(probes[0] ?? 1), Math.log2(probes.at(-1) ?? 1)];
  return (value) => LEFT + 20 + ((Math.log2(value) - low) / Math.max(high - low, 1e-9)) * (RIGHT - LEFT - 40);
}

function yScale({ top, bottom }: Panel, low: number, high: number): (value: number) => number {
  return (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
}

/** Five steps or so of 1, 2 or 5 times a power of ten, the last one at `high` or above. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const count = Math.ceil((high - low) / step - 1e-6);
  return Array.from({ length: count + 1 }, (_, i) => Number((low + i * step).toPrecision(6)));
}

/** Those of the probes whose numbers do not run into each other. */
function spaced(probes: readonly number[], x: (value: number) => number): number[] {
  let last = Number.NEGATIVE_INFINITY;
  return probes.filter((count) => {
    if (x(count) - last < 28) return false;
    last = x(count);
    return true;
  });
}

function axes(
  { top, bottom }: Panel,
  label: string,
  marks: readonly number[],
  y: (value: number) => number,
  shown: (value: number) => string,
): string {
  const grid = marks.map(
    (mark) =>
      `<path d="M${LEFT} ${y(mark)}H${RIGHT}" stroke="#ddd"/>${text(LEFT - 8, y(mark) + 4, shown(mark), 'end')}`,
  );
  const frame = `<path d="M${LEFT} ${top}V${bottom}H${RIGHT}" stroke="#222" fill="none"/>`;
  const middle = (top + bottom) / 2;
  return [...grid, frame, text(22, middle, label, 'middle', `transform="rotate(-90 22 ${middle})"`)].join('');
}

function curve(points: readonly Point[], colour: string): string {
  const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="4" fill="${colour}"/>`);
  return `<polyline points="${points.map((point) => point.join(',')).join(' ')}" stroke="${colour}" stroke-width="2" fill="none"/>${dots.join('')}`;
}

function legend(index: number, title: string): string {
  const x = LEFT + index * 330;
  const colour = COLOURS[index % COLOURS.length] ?? '';
  return `<rect x="${x}" y="40" width="14" height="14" fill="${colour}"/>${text(x + 20, 52, title, 'start')}`;
}

function text(x: number, y: number, words: string, anchor: string, more = ''): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" ${more}>${safe}</text>`;
}
