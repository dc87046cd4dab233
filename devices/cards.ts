import { VlmoError } from '#errors.ts';
import { gpuDeviceFiles } from './gpu-facts.ts';
import type { DeviceName } from './provider.ts';

/**
 * The cards that a name means, as CUDA counts them; empty where it leaves the choice to CUDA. One card twice is taken where
 * there is no other: so what is for several cards can be tried with one. Throws DEVICE_UNAVAILABLE.
 */
export function cardsOf(name: DeviceName, there: number | null = cardsThere()): readonly number[] {
  if (!name.startsWith('cuda:')) return [];
  if (name === 'cuda:all') {
    if (there !== null && there > 0) return Array.from({ length: there }, (_, card) => card);
    throw unavailable(
      name,
      'cards that can be counted',
      there === null ? 'a system that does not tell' : 'none',
    );
  }
  const cards = name.split(',').map((one) => Number(one.slice('cuda:'.length)));
  const absent = cards.find((card) => there !== null && card >= there);
  if (absent !== undefined) throw unavailable(name, describeCards(there ?? 0), `"cuda:${absent}"`);
  const twice = cards.find((card, i) => cards.indexOf(card) !== i);
  if (twice !== undefined && there !== 1) throw unavailable(name, 'each card once', `"cuda:${twice}" twice`);
  return cards;
}

/** `CUDA_VISIBLE_DEVICES` of a process that sees one card only, which is its first. */
export function onlyCard(card: number, visible = process.env.CUDA_VISIBLE_DEVICES): string {
  return visible === undefined ? String(card) : (visible.split(',')[card]?.trim() ?? '');
}

/** NVIDIA's cards that this process may see; null where the system does not tell. */
function cardsThere(): number | null {
  const files = gpuDeviceFiles()?.filter((file) => /nvidia\d+$/.test(file));
  const visible = process.env.CUDA_VISIBLE_DEVICES;
  if (visible === undefined) return files?.length ?? null;
  return visible.split(',').filter((card) => card.trim() !== '' && card.trim() !== '-1').length;
}

function describeCards(count: number): string {
  if (count === 0) return 'an NVIDIA GPU';
  return count === 1 ? '"cuda:0", the only card' : `cards from "cuda:0" to "cuda:${count - 1}"`;
}

function unavailable(name: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'DEVICE_UNAVAILABLE',
    `Cannot use device "${name}": expected ${expected}, received ${received}`,
  );
}
