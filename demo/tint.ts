const COLOURS: Readonly<Record<string, readonly [number, number, number]>> = {
  red: [0.88, 0.12, 0.12],
  orange: [0.98, 0.55, 0.08],
  yellow: [0.98, 0.87, 0.15],
  green: [0.15, 0.65, 0.22],
  blue: [0.13, 0.38, 0.9],
  purple: [0.52, 0.2, 0.72],
  pink: [0.98, 0.5, 0.72],
  gray: [0.55, 0.55, 0.55],
};
/** Darker than this is ink: it does not count for how light a drawing is. */
const INK = 0.15;

/** Gives a drawing one colour, its light and shade kept, in place. RGBA bytes, not premultiplied. As training/scenes.py does. */
export function tint(rgba: Buffer, name: string): void {
  const colour = COLOURS[name];
  if (!colour) {
    const known = Object.keys(COLOURS).join(', ');
    throw new Error(`Cannot tint drawing: expected one of ${known}, received "${name}"`);
  }
  const curve = lightCurve(rgba);
  for (let i = 0; i < rgba.length; i += 4) {
    const light = curve(lightness(rgba, i));
    colour.forEach((c, channel) => {
      rgba[i + channel] = Math.round(255 * (light < 0.5 ? c * light * 2 : c + (1 - c) * (light * 2 - 1)));
    });
  }
}

/** Brings the mean lightness of a drawing's fills near a half; one of ink alone becomes all of the colour. */
function lightCurve(rgba: Buffer): (light: number) => number {
  let [share, sum] = [0, 0];
  for (let i = 0; i < rgba.length; i += 4) {
    const light = lightness(rgba, i);
    if (light <= INK) continue;
    const alpha = (rgba[i + 3] ?? 0) / 255;
    share += alpha;
    sum += alpha * light;
  }
  if (share / (rgba.length / 4) <= 0.02) return () => 0.5;
  const mean = clamp(sum / share, 0.16, 0.97);
  const power = clamp(Math.log(0.55) / Math.log(mean), 0.4, 4);
  return (light) => Math.max(light, 1e-3) ** power;
}

function lightness(rgba: Buffer, i: number): number {
  return ((rgba[i] ?? 0) + (rgba[i + 1] ?? 0) + (rgba[i + 2] ?? 0)) / (3 * 255);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
