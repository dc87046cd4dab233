/**
 * Words of captions and of keywords, so that both meet: without case, accents and forms of Unicode. Scripts that put no
 * spaces between words are held as every character and every two neighbours: with those a word is found wherever it stands.
 */

/** Characters of scripts whose words are not told apart by spaces, or not by them alone. */
const UNSPACED = String.raw`[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\p{scx=Hang}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]&&[\p{Alphabetic}\p{M}\p{N}]]`;
const SPACED = String.raw`[[\p{Alphabetic}\p{M}\p{N}]--${UNSPACED}]`;
/** No word is longer: what hangs together beyond it is no language. */
const MAX_LENGTH = 255;

/** The terms that a text is found by, each once. */
export function termsOf(text: string): string[] {
  const terms = new Set<string>();
  for (const { run, isUnspaced } of runsOf(foldText(text))) {
    if (!isUnspaced) terms.add(run.slice(0, MAX_LENGTH));
    else for (const gram of gramsOf(run)) terms.add(gram);
  }
  return [...terms];
}

/** What a text must hold to hold a word: all of `terms`, and each of `runs` when it is folded. */
export interface WantedTerms {
  readonly terms: readonly string[];
  readonly runs: readonly string[];
}

/** What `termsOf` a text must hold for the text to hold a word. */
export function termsOfWord(word: string): WantedTerms {
  const all = runsOf(foldText(word));
  const unspaced = all.filter(({ isUnspaced }) => isUnspaced).map(({ run }) => run);
  const terms = all.flatMap(({ run, isUnspaced }) =>
    isUnspaced ? neighboursOf(run) : [run.slice(0, MAX_LENGTH)],
  );
  // Two characters are a term; of more, the terms may stand apart.
  return { terms: [...new Set(terms)], runs: unspaced.filter((run) => [...run].length > 2) };
}

/** The words of what somebody looks for, each once, at most `most`: runs of letters and digits; without spaces, by a dictionary. */
export function wordsOf(text: string, most: number): string[] {
  const words = new Set<string>();
  for (const { run, isUnspaced } of runsOf(foldText(text))) {
    for (const word of isUnspaced ? segmentsOf(run) : [run]) {
      if (words.size >= most) return [...words];
      words.add(word);
    }
  }
  return [...words];
}

/** Without case, accents and forms of Unicode: of full width, ligatures, composed or not. */
export function foldText(text: string): string {
  const lower = text.toLowerCase();
  if (ASCII.test(lower)) return lower;
  const bare = lower.normalize('NFKC').toLowerCase().normalize('NFD').replace(ACCENTS, '');
  return bare.normalize('NFC').replace(LETTERS, (letter) => PLAIN[letter] ?? letter);
}

const ASCII = /^[\0-\x7f]*$/;
/**
 * Marks that go with letters of several scripts, and the vowel points of Arabic and Hebrew. Not those that are part of a
 * letter or a vowel of their own, as in Thai and the scripts of India, nor the ones that make ga of ka.
 */
const ACCENTS = /[[\p{M}&&[\p{Script=Inherited}\p{Script=Hebrew}\p{Script=Arabic}]]--[\u3099\u309a]]/gv;
/** Letters that Unicode does not take apart, as people write them who do not have them. */
const PLAIN: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', þ: 'th', ł: 'l', ħ: 'h', ı: 'i', ŧ: 't', ς: 'σ' },
  // Signs that lengthen a word and say nothing.
  ...{ ـ: '' },
};
const LETTERS = new RegExp(`[${Object.keys(PLAIN).join('')}]`, 'g');

interface Run {
  readonly run: string;
  readonly isUnspaced: boolean;
}

function runsOf(folded: string): Run[] {
  return Array.from(folded.matchAll(RUNS), ([run, unspaced]) => ({
    run,
    isUnspaced: unspaced !== undefined,
  }));
}

const RUNS = new RegExp(`(${UNSPACED}+)|${SPACED}+`, 'gv');

function gramsOf(run: string): string[] {
  return [...new Set([...run, ...neighboursOf(run)])];
}

/** Every two characters side by side; of one, that one. */
function neighboursOf(run: string): string[] {
  const characters = [...run];
  if (characters.length === 1) return characters;
  return characters.slice(1).map((character, i) => `${characters[i]}${character}`);
}

const SEGMENTER = new Intl.Segmenter('en', { granularity: 'word' });

function* segmentsOf(run: string): Generator<string> {
  for (const { segment } of SEGMENTER.segment(run)) yield segment;
}
