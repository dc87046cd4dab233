import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Device } from '#devices/device.ts';
import { precisionOn } from '#model/precision.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import { pictureValues } from '#pictures/picture-spec.ts';

export interface ModelSpeedOptions {
  readonly model: string;
  readonly batches: readonly number[];
  readonly precision: 'auto' | 'f32' | 'f16';
  /** Seconds of each figure. */
  readonly seconds: number;
  /** Whether pairs are read too. */
  readonly pairs: boolean;
}

/** Pictures and texts a second from 8-bit pixels and texts that are ready, each alone and in turns; PyTorch beside. */
export async function modelSpeed(device: Device, options: ModelSpeedOptions): Promise<void> {
  const { model, batches, seconds, pairs } = options;
  const precision = precisionOn(device, options.precision);
  const started = performance.now();
  const how = { provider: device.provider, precision, takesSamples: true };
  const graphs = pairs ? (['image', 'text', 'fusion'] as const) : (['image', 'text'] as const);
  await using vlmo = await loadVlmo(model, { ...how, graphs });
  const { num_channels: channels, image_size: size, max_text_length: longest } = vlmo.config;
  const apart = Math.max(0, ...vlmo.proofs.map(({ difference }) => difference)).toExponential(0);
  const loaded = ((performance.now() - started) / 1000).toFixed(1);
  const { name } = vlmo.folder;
  console.log(
    `\n${name} on ${device.provider} in ${precision}, ${apart} from the CPU, loaded in ${loaded} s`,
  );
  for (const { reason } of vlmo.proofs) if (reason !== null) console.log(`  runs in f32: ${reason}`);
  const text = Array.from({ length: longest - 2 }, (_, i) => `w${i}`).join(' ');
  for (const batch of batches) {
    const values = batch * pictureValues(vlmo.folder.picture);
    const data = new Uint8Array(new SharedArrayBuffer(values)).map((_, i) => (i * 48271) % 251);
    const pixels = { data, dims: [batch, channels, ...size] };
    const texts = Array.from({ length: batch }, (_, i) => `w${i} ${text}`);
    const image = await secondsOf(() => vlmo.embedImages(pixels), seconds);
    const words = await secondsOf(() => vlmo.embedTexts(texts), seconds);
    const both = await secondsOf(async () => {
      await vlmo.embedImages(pixels);
      await vlmo.embedTexts(texts);
    }, seconds);
    const match = pairs ? await secondsOf(() => vlmo.match(pixels, texts), seconds) : undefined;
    const rate = (taken: number): string => `${(batch / taken).toFixed(0)}/s`;
    const parts = [
      `  batches of ${batch}: pictures ${rate(image)}`,
      `texts of ${longest} tokens ${rate(words)}`,
      `in turns ${((image + words) / both).toFixed(2)} of both alone`,
      ...(match === undefined ? [] : [`pairs ${rate(match)}`]),
    ];
    console.log(parts.join(', '));
  }
  if (device.provider === 'cuda') pytorch(vlmo.config.max_text_length, batches);
}

/** Of one call: the middle of some seconds of them, after three that count for nothing. */
async function secondsOf(run: () => Promise<unknown>, seconds: number): Promise<number> {
  for (let warm = 0; warm < 3; warm++) await run();
  const times: number[] = [];
  const until = performance.now() + 1000 * seconds;
  while (times.length < 3 || performance.now() < until) {
    const started = performance.now();
    await run();
    times.push((performance.now() - started) / 1000);
  }
  return times.sort((a, b) => a - b)[times.length >> 1] as number;
}

function pytorch(tokens: number, batches: readonly number[]): void {
  const script = fileURLToPath(new URL('pytorch-model.py', import.meta.url));
  const args = [script, tokens, ...batches].map(String);
  const { status, stdout, stderr } = spawnSync('python3', args, { encoding: 'utf8' });
  console.log(
    status === 0 ? stdout.trimEnd() : `  no PyTorch beside it: ${stderr?.trimEnd().split('\n').at(-1)}`,
  );
}
