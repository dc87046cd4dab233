import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldText, termsOf, termsOfWord, wordsOf } from '#store/words.ts';

test('foldText: case, accents, width and forms of Unicode are gone; what makes another letter stays', () => {
  for (const [text, expected] of [
    ['Crème BRÛLÉE', 'creme brulee'],
    ['Cre\u0300me', 'creme'],
    ['ＡＢＣ ﬁancé m²', 'abc fiance m2'],
    ['Straße Øl Łódź Đà Nẵng œuvre', 'strasse ol lodz da nang oeuvre'],
    ['İstanbul ISTANBUL ıspanak', 'istanbul istanbul ispanak'],
    ['ΟΔΟΣ οδός', 'οδοσ οδοσ'],
    ['Ёлка Йод', 'елка иод'],
    ['العَرَبِيَّة שָׁלוֹם', 'العربية שלום'],
    // Voiced kana, Hangul and vowels of India are letters.
    ['ガカ ｶﾞ', 'ガカ ガ'],
    ['\u1112\u1161\u11ab', '한'],
    ['हिन्दी กิน้', 'हिन्दी กิน้'],
  ] as const)
    assert.equal(foldText(text), expected.normalize('NFC'), text);
});

test('termsOf: words; of scripts without spaces, characters and neighbours, apart from what else stands there', () => {
  assert.deepEqual(termsOf("L'Éléphant, l'éléphant; 3 DOGS"), ['l', 'elephant', '3', 'dogs']);
  assert.deepEqual(termsOf('iPhone手机15'), ['iphone', '手', '机', '手机', '15']);
  assert.deepEqual(termsOf('𠮷野家').sort(), ['𠮷', '野', '家', '𠮷野', '野家'].sort());
  assert.deepEqual(termsOf(' ,、。'), []);
  assert.deepEqual(termsOf(`${'x'.repeat(300)} y`), ['x'.repeat(255), 'y']);
});

test('termsOfWord: every word that stands in a text without spaces has its terms there, and its runs', () => {
  const texts = [
    '一只红苹果放在桌子上',
    'りんごの木',
    '사과를먹는다',
    'ฉันกินข้าวผัด',
    'バナナとリンゴ',
    '𠮷野家の牛丼',
  ];
  for (const text of texts) {
    const terms = new Set(termsOf(text));
    const characters = [...text];
    for (let from = 0; from < characters.length; from++) {
      for (let to = from + 1; to <= characters.length; to++) {
        const wanted = termsOfWord(characters.slice(from, to).join(''));
        assert.ok(wanted.terms.every((term) => terms.has(term)));
        assert.ok(wanted.runs.every((run) => text.includes(run)));
      }
    }
    const isFound = termsOfWord('苹果树').terms.every((term) => terms.has(term));
    assert.equal(isFound, false, text);
  }
});

test('wordsOf: words of what is looked for, each once, up to a number; those without spaces by a dictionary', () => {
  assert.deepEqual(wordsOf('Red APPLE red', 64), ['red', 'apple']);
  assert.deepEqual(wordsOf('红色的苹果', 64), ['红色', '的', '苹果']);
  assert.deepEqual(wordsOf('กินข้าว', 64), ['กิน', 'ข้าว']);
  assert.deepEqual(wordsOf('a b c 苹果', 2), ['a', 'b']);
});
