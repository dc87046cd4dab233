import { observeWindowOffset, observeWindowRect, Virtualizer, windowScroll } from '@tanstack/virtual-core';
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import type { Hit } from '../api.ts';
import { CAPTION_HEIGHT, CUT_HEIGHT, GAP, layOut, type Row } from './grid-layout.ts';
import { nextAt } from './grid-moves.ts';
import { HitTile, type TileActions } from './tile.tsx';

interface Props extends TileActions {
  readonly hits: readonly Hit[];
  readonly isWhole: boolean;
  readonly collection: string;
  readonly onNearEnd: () => void;
}

/** Rows of pictures, of which those in sight are in the document; arrow keys go from one to the next. */
export function Grid({ hits, isWhole, collection, onNearEnd, ...actions }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const width = useWidth(list);
  const rows = useMemo(() => layOut(hits, width, isWhole), [hits, width, isWhole]);
  const virtual = useRows(rows, list);
  const [current, setCurrent] = useState(0);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (!isWhole && last >= rows.length - 3) onNearEnd();
  }, [last, rows.length, isWhole, hits.length]);

  const move = (event: KeyboardEvent) => {
    const to = nextAt(rows, current, event.key);
    if (to === undefined || !(event.target as HTMLElement).matches('.open')) return;
    event.preventDefault();
    setCurrent(to);
    virtual.scrollToIndex(rows.findIndex(({ tiles }) => tiles.some(({ at }) => at === to)));
    focusSoon(list.current, to);
  };

  return (
    <div class="results">
      <ul
        ref={list}
        class="grid"
        aria-label="Hits"
        style={{ height: `${virtual.getTotalSize()}px` }}
        onKeyDown={move}
      >
        {items.flatMap(({ index, start }) => {
          const row = rows[index];
          const top = start - virtual.options.scrollMargin + (row?.isCut ? CUT_HEIGHT : 0);
          return (row?.tiles ?? []).map((tile) => (
            <HitTile
              key={tile.hit.key}
              {...{ tile, top, collection, ...actions }}
              height={row?.height ?? 0}
              total={isWhole ? hits.length : -1}
              isCurrent={tile.at === Math.min(current, hits.length - 1)}
              onFocus={setCurrent}
            />
          ));
        })}
      </ul>
      {items.map(({ index, start }) =>
        rows[index]?.isCut ? (
          <p class="cut" style={{ transform: `translateY(${start - virtual.options.scrollMargin}px)` }}>
            Below this line nothing fits: a {hits[0]?.calibrated ? 'match' : 'raw match'} is less likely than
            not
          </p>
        ) : null,
      )}
    </div>
  );
}

/** Focus comes once the row is in the document. */
function focusSoon(list: HTMLElement | null, at: number, tries = 20): void {
  const found = list?.querySelector<HTMLElement>(`[data-at="${at}"]`);
  if (found) found.focus({ preventScroll: true });
  else if (tries > 0) requestAnimationFrame(() => focusSoon(list, at, tries - 1));
}

function useWidth(list: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(() => Math.min(document.documentElement.clientWidth - 32, 1600));
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    setWidth(Math.floor(element.clientWidth));
    return () => observer.disconnect();
  }, []);
  return Math.max(width, 200);
}

function useRows(
  rows: readonly Row[],
  list: { readonly current: HTMLElement | null },
): Virtualizer<Window, Element> {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  const [scrollMargin, setMargin] = useState(0);
  const options = {
    count: rows.length,
    getScrollElement: () => window,
    estimateSize: (i: number) => {
      const row = rows[i];
      return row ? row.height + CAPTION_HEIGHT + GAP + (row.isCut ? CUT_HEIGHT : 0) : 0;
    },
    overscan: 3,
    scrollMargin,
    initialRect: { width: window.innerWidth, height: window.innerHeight },
    observeElementRect: observeWindowRect,
    observeElementOffset: observeWindowOffset,
    scrollToFn: windowScroll,
    onChange: () => redraw(undefined as never),
  };
  const [virtual] = useState(() => new Virtualizer<Window, Element>(options));
  virtual.setOptions(options);
  useLayoutEffect(() => virtual._didMount(), []);
  useLayoutEffect(() => {
    virtual._willUpdate();
    const top = (list.current?.getBoundingClientRect().top ?? 0) + window.scrollY;
    if (Math.abs(top - scrollMargin) > 1) setMargin(top);
  });
  useLayoutEffect(() => virtual.measure(), [rows]);
  return virtual;
}
