import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captionRow, generationSpec, unitVectors } from '../lance/store-fixture.ts';
import type { OpenStore } from './open.ts';

const CAPTIONS: Readonly<Record<string, string>> = {
  resume: 'a printed résumé',
  cliche: 'such a CLICHÉ',
  elephant: "l'éléphant gris",
  composed: 'une crème au café',
  decomposed: 'une cre\u0300me au cafe\u0301',
  street: 'eine lange Straße',
  full: 'ＡＢＣ',
  zh: '一只红苹果放在桌子上',
  apart: '树上有果子，苹果在果树下',
  mixed: '新手机iPhone15',
  ja: '赤いリンゴとバナナ',
  half: 'ﾊﾞﾅﾅ',
  ko: '빨간사과를먹는다',
  th: 'ฉันกินข้าวผัด',
  en: 'a red apple on a table',
};

/** What `CaptionTable.matching` finds, whoever keeps the captions; English endings are LanceDB's own. */
export function keywordSuite(open: OpenStore): void {
  test('CaptionTable.matching: case, accents and forms of Unicode never matter; words are found without spaces', async (t) => {
    const { captions } = await (await open(t)).openGeneration(generationSpec());
    const rows = Object.entries(CAPTIONS).map(([id, caption]) => captionRow(id, { caption, imageId: id }));
    await captions.upsert({ rows, vectors: unitVectors(rows.length, 4) });
    for (const [word, expected] of [
      ['resume', 'resume'],
      ['RÉSUMÉ', 'resume'],
      ['cliche', 'cliche'],
      ['elephant', 'elephant'],
      ['creme', 'composed decomposed'],
      ['crème', 'composed decomposed'],
      ['CRE\u0300ME', 'composed decomposed'],
      ['STRASSE', 'street'],
      ['abc', 'full'],
      ['苹果', 'apart zh'],
      ['果', 'apart zh'],
      ['苹果树', ''],
      ['红苹果放在', 'zh'],
      ['香蕉', ''],
      ['手机', 'mixed'],
      ['iphone', ''],
      ['iphone15', 'mixed'],
      ['バナナ', 'half ja'],
      ['リンゴ', 'ja'],
      ['사과', 'ko'],
      ['ข้าว', 'th'],
      ['apple', 'en'],
      ['', ''],
      ['、', ''],
    ] as const) {
      const found: string[] = [];
      for await (const { imageId } of captions.matching(word)) found.push(imageId ?? '');
      assert.equal(found.sort().join(' '), expected, word);
    }
  });
}
