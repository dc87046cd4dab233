import type { EvaluatedOrder } from '#evaluate/evaluate.ts';
import type { PublishedFigure } from '#evaluate/published.ts';
import type { Recall } from '#evaluate/recall.ts';
import type { CalibratedModel, Evaluation } from '#service/contract.ts';
import { counted, formatCount, note, print, printJson, table } from './output.ts';

/** Says how well a collection is found: JSON lines, or tables with the published figures beside them. */
export function reportEvaluation(evaluation: Evaluation, { json }: { readonly json: boolean }): void {
  if (json) for (const order of evaluation.orders) printJson(toJson(evaluation, order));
  else printTables(evaluation);
}

/** Says what was fitted, and how far the probabilities of other pairs were off before and are now. */
export function reportCalibration(
  { generation, a, b, positives, negatives, errors }: CalibratedModel,
  { json, reranker }: { readonly json: boolean; readonly reranker: string | undefined },
): void {
  const { modelName, collection } = generation;
  const model = reranker ?? modelName;
  if (json) {
    printJson({ model, collection, a, b, positives, negatives, errors });
    return;
  }
  print(
    `Model "${model}": match = 1 / (1 + exp(-(${a.toFixed(3)} log-odds ${b < 0 ? '-' : '+'} ${Math.abs(b).toFixed(3)}))), where as many pairs are right as wrong.`,
  );
  print(
    `Fitted on ${counted(positives, 'right pair')} and ${formatCount(negatives)} wrong ones of "${collection}".`,
  );
  print('Of other pairs of it, the probability is off by (expected calibration error, 15 bins):');
  const rows = errors.map(({ wrongs, raw, calibrated }) => [
    `1 right, ${wrongs} wrong`,
    raw.toFixed(3),
    calibrated.toFixed(3),
  ]);
  print(table([['', 'raw', 'calibrated'], ...rows]));
}

/** An object as CLIP_benchmark writes it, with what else is known beside its own fields. */
function toJson(evaluation: Evaluation, { rerank, imageRetrieval, textRetrieval }: EvaluatedOrder): object {
  const { generation, pictures, captions, alone, missing, split, published, unread } = evaluation;
  const ways = [
    ['image', imageRetrieval],
    ['text', textRetrieval],
  ] as const;
  const entries = ways.flatMap(([way, recalls]) =>
    recalls.map((one) => [`${way}_retrieval_recall@${one.k}`, one] as const),
  );
  return {
    dataset: split?.dataset ?? generation.collection,
    model: generation.modelName,
    pretrained: generation.fingerprint,
    task: 'zeroshot_retrieval',
    metrics: Object.fromEntries(entries.map(([name, { recall }]) => [name, recall])),
    intervals: Object.fromEntries(entries.map(([name, { low, high }]) => [name, [low, high]])),
    rerank,
    ...{ split: split?.title ?? null, pictures, captions, captionsOfNoPicture: alone, missing, unread },
    published,
  };
}

function printTables(evaluation: Evaluation): void {
  const { generation, pictures, captions, alone, missing, split, orders, published, unread } = evaluation;
  const sizes = `${counted(pictures, 'picture')}, ${counted(captions, 'caption')}`;
  const title = split ? `The sizes of ${split.title}` : 'No split that figures are published for';
  print(`Model "${generation.modelName}", collection "${generation.collection}": ${sizes}. ${title}.`);
  if (missing.count > 0) {
    const names = `${missing.first.join(', ')}${missing.count > missing.first.length ? ', …' : ''}`;
    print(
      `Without ${formatCount(missing.count)} missing or failed: ${names}. No figures to compare with others.`,
    );
  }
  if (alone > 0) note(`${formatCount(alone)} captions are of no picture: they are found and ask nothing.`);
  if (unread > 0)
    note(`${formatCount(unread)} pairs could not be read together: their pictures cannot be read any more.`);
  print('');
  const head = ['', 'TR@1', 'TR@5', 'TR@10', 'IR@1', 'IR@5', 'IR@10'];
  const rows = orders.map(({ rerank, textRetrieval, imageRetrieval }) => [
    rerank === null ? 'by cosine' : `re-ranked, first ${rerank}`,
    ...[...textRetrieval, ...imageRetrieval].map(cell),
  ]);
  print(table([head, ...rows]));
  print(
    'TR: a picture finds any of its captions. IR: a caption finds its picture. In percent, 95 % intervals.',
  );
  if (published.length > 0) print(`\n${publishedTable(published)}`);
}

function cell({ recall, low, high }: Recall): string {
  return `${percent(recall)} [${percent(low)}, ${percent(high)}]`;
}

function percent(part: number): string {
  return (100 * part).toFixed(1);
}

/** A row a model, fine-tuned and zero-shot apart. */
function publishedTable(published: readonly PublishedFigure[]): string {
  const models = [...Map.groupBy(published, ({ model }) => model)];
  const rows = models.map(([model, figures]) => {
    const of = (training: PublishedFigure['training']): string[] => {
      const found = figures.find((figure) => figure.training === training);
      return found ? [found.textRetrieval.toFixed(1), found.imageRetrieval.toFixed(1)] : ['', ''];
    };
    return [model, ...of('fine-tuned'), ...of('zero-shot'), figures[0]?.source ?? ''];
  });
  const head = ['published', 'fine-tuned TR@1', 'IR@1', 'zero-shot TR@1', 'IR@1', 'source'];
  return table([head, ...rows]);
}
