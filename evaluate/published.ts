import type { KnownSplit } from './known-splits.ts';

/** What a paper says of a model: recall@1 in percent, text retrieval (a picture finds its captions) and image retrieval. */
export interface PublishedFigure {
  readonly model: string;
  /** Whether it was trained on the training part of the data set. */
  readonly training: 'fine-tuned' | 'zero-shot';
  readonly dataset: KnownSplit['dataset'];
  readonly textRetrieval: number;
  readonly imageRetrieval: number;
  readonly source: string;
}

const VLMO = 'arXiv 2111.02358';
const CLIP = 'arXiv 2103.00020, table 13';
const BLIP = 'arXiv 2201.12086, table 5';
const BEIT = 'arXiv 2208.10442';

/** In the order of publication. */
export const PUBLISHED: readonly PublishedFigure[] = [
  figure('CLIP ViT-L/14@336px', 'zero-shot', 'mscoco_captions', 58.4, 37.8, CLIP),
  figure('CLIP ViT-L/14@336px', 'zero-shot', 'flickr30k', 88.0, 68.7, CLIP),
  figure('VLMo-base', 'fine-tuned', 'mscoco_captions', 74.8, 57.2, VLMO),
  figure('VLMo-base', 'fine-tuned', 'flickr30k', 92.3, 79.3, VLMO),
  figure('VLMo-large', 'fine-tuned', 'mscoco_captions', 78.2, 60.6, VLMO),
  figure('VLMo-large', 'fine-tuned', 'flickr30k', 95.3, 84.5, VLMO),
  figure('BLIP ViT-L', 'fine-tuned', 'mscoco_captions', 82.4, 65.1, BLIP),
  figure('BLIP ViT-L', 'fine-tuned', 'flickr30k', 97.4, 87.6, BLIP),
  figure('BEiT-3', 'fine-tuned', 'mscoco_captions', 84.8, 67.2, BEIT),
  figure('BEiT-3', 'fine-tuned', 'flickr30k', 98.0, 90.3, BEIT),
  figure('BEiT-3', 'zero-shot', 'flickr30k', 94.9, 81.5, BEIT),
];

function figure(
  model: string,
  training: PublishedFigure['training'],
  dataset: KnownSplit['dataset'],
  textRetrieval: number,
  imageRetrieval: number,
  source: string,
): PublishedFigure {
  return { model, training, dataset, textRetrieval, imageRetrieval, source };
}
