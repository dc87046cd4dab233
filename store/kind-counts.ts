/** What has become of items of one kind. */
export interface KindCount {
  readonly stored: number;
  /** Stored before with the same content. */
  readonly skipped: number;
  readonly failed: number;
}

/** Pictures and captions apart. What is neither (rows that cannot be understood) is in no count but that of all. */
export interface KindCounts<Count = KindCount> {
  readonly images: Count;
  readonly captions: Count;
}

/** As `KindCount`, with those that were read. */
export interface SeenCount extends KindCount {
  readonly seen: number;
}

const NONE: KindCount = { stored: 0, skipped: 0, failed: 0 };
export const NO_KINDS: KindCounts = { images: NONE, captions: NONE };

export function addKinds(a: KindCounts, b: KindCounts): KindCounts {
  return { images: added(a.images, b.images), captions: added(a.captions, b.captions) };
}

function added(a: KindCount, b: KindCount): KindCount {
  return { stored: a.stored + b.stored, skipped: a.skipped + b.skipped, failed: a.failed + b.failed };
}
