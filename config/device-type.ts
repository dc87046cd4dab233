import { choice, type OptionType } from './option.ts';

/** What may be asked to compute: `cuda:0,cuda:1` names cards, `cuda:all` all of them. */
export type DeviceName = 'auto' | 'cpu' | 'webgpu' | 'cuda' | `cuda:${string}`;

const word = choice('auto', 'cpu', 'webgpu', 'cuda', 'cuda:all');
const CARDS = /^cuda:\d+(,cuda:\d+)*$/;

export const deviceType: OptionType<DeviceName> = {
  range: `${word.range}, or cards of CUDA such as "cuda:0,cuda:1"`,
  parse(said) {
    const name = typeof said === 'string' ? said.replaceAll(' ', '') : said;
    return (
      word.parse(name) ?? (typeof name === 'string' && CARDS.test(name) ? (name as DeviceName) : undefined)
    );
  },
};
