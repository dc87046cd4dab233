import { openModel } from '#model/open-model.ts';
import { counted, note } from './output.ts';

/** A text of fewer characters than any model reads tokens needs no tokenizer. */
const ALWAYS_READ = 16;

/**
 * Says once on stderr where texts are longer than the model reads: their ends count for nothing. Says nothing where the
 * model does not lie on this machine, as for a search that a worker answers.
 */
export async function noteCutTexts(texts: readonly string[], modelPath: string): Promise<void> {
  if (texts.every(({ length }) => length <= ALWAYS_READ)) return;
  const cut = await cutTexts(texts, modelPath).catch(() => undefined);
  if (cut && cut.count > 0)
    note(
      `${counted(cut.count, 'text')} longer than the ${cut.tokens} tokens that the model reads: what is behind them counts for nothing.`,
    );
}

async function cutTexts(texts: readonly string[], modelPath: string) {
  const model = await openModel(modelPath);
  const tokenizer = await model.loadTokenizer();
  return { count: texts.filter((text) => tokenizer.isCut(text)).length, tokens: model.maxTokens };
}
