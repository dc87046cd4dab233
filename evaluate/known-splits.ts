/** A split that figures are published for, known by its sizes. */
export interface KnownSplit {
  /** As CLIP_benchmark calls the data set. */
  readonly dataset: 'mscoco_captions' | 'flickr30k';
  readonly title: string;
  readonly pictures: number;
  readonly captions: number;
}

/** Karpathy's test splits, whole: five captions a picture, of ten COCO pictures six. */
export const KNOWN_SPLITS: readonly KnownSplit[] = [
  { dataset: 'mscoco_captions', title: 'COCO 5k', pictures: 5000, captions: 25_010 },
  { dataset: 'flickr30k', title: 'Flickr30k 1k', pictures: 1000, captions: 5000 },
];

export function knownSplit(pictures: number, captions: number): KnownSplit | undefined {
  return KNOWN_SPLITS.find((known) => known.pictures === pictures && known.captions === captions);
}
