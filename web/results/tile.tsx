import type { Hit } from '../api.ts';
import { CAPTION_HEIGHT, type Tile } from './grid-layout.ts';
import { Picture, thumbnailOf } from './picture.tsx';

export interface TileActions {
  readonly open: (hit: Hit) => void;
  readonly like: (hit: Hit) => void;
  readonly unlike: (hit: Hit) => void;
}

interface Props extends TileActions {
  readonly tile: Tile;
  readonly top: number;
  readonly height: number;
  /** -1 while more may come. */
  readonly total: number;
  readonly isCurrent: boolean;
  readonly collection: string;
  readonly onFocus: (at: number) => void;
}

export function HitTile({
  tile,
  top,
  height,
  total,
  isCurrent,
  collection,
  onFocus,
  open,
  like,
  unlike,
}: Props) {
  const { hit, at, left, width } = tile;
  const words = hit.caption ?? hit.id;
  const path = thumbnailOf(hit.imageKey, collection, Math.max(width, height) > 256 ? 512 : 256);
  const tabIndex = isCurrent ? 0 : -1;
  return (
    <li
      class="tile"
      aria-setsize={total}
      aria-posinset={at + 1}
      style={{
        transform: `translate(${left}px, ${top}px)`,
        width: `${width}px`,
        height: `${height + CAPTION_HEIGHT}px`,
      }}
    >
      <button
        type="button"
        class="open"
        data-at={at}
        tabIndex={tabIndex}
        onFocus={() => onFocus(at)}
        onClick={() => open(hit)}
      >
        <span class="frame" style={{ height: `${height}px` }}>
          {path === undefined ? <span class="lost">{words}</span> : <Picture path={path} alt={words} />}
        </span>
        <span class="words" aria-hidden="true">
          {words}
        </span>
        <Score hit={hit} />
      </button>
      <span class="acts">
        <button
          type="button"
          tabIndex={tabIndex}
          title="More like this"
          aria-label={`More like ${words}`}
          onClick={() => like(hit)}
        >
          +
        </button>
        <button
          type="button"
          tabIndex={tabIndex}
          title="Less like this"
          aria-label={`Less like ${words}`}
          onClick={() => unlike(hit)}
        >
          −
        </button>
      </span>
    </li>
  );
}

function Score({ hit }: { readonly hit: Hit }) {
  const { score, match, calibrated, rank } = hit;
  return (
    <span class="score">
      <span>{rank}</span>
      {match === null ? (
        <span>score {score.toFixed(3)}</span>
      ) : (
        <span>
          {calibrated ? 'match' : 'raw match'} {percent(match)}
        </span>
      )}
    </span>
  );
}

export function percent(part: number): string {
  return `${(part * 100).toFixed(part > 0.995 || part < 0.1 ? 1 : 0)} %`;
}
