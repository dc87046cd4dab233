import { useEffect, useRef } from 'preact/hooks';
import { addressOf, type Hit } from '../api.ts';
import { Picture, thumbnailOf } from './picture.tsx';
import { percent } from './tile.tsx';

interface Props {
  readonly hit: Hit;
  readonly collection: string;
  /** By one back or forth. */
  readonly move: (by: 1 | -1) => void;
  readonly close: () => void;
  readonly like: (hit: Hit) => void;
  readonly unlike: (hit: Hit) => void;
}

/** One hit with all that is known of it; arrows go to its neighbours. */
export function LargeView({ hit, collection, move, close, like, unlike }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowRight') move(1);
    else if (event.key === 'ArrowLeft') move(-1);
  };
  const words = hit.caption ?? hit.id;
  const path = thumbnailOf(hit.imageKey, collection, 1024);
  return (
    <dialog ref={dialog} class="large" aria-label={words} onKeyDown={onKeyDown} onClose={close}>
      <div class="stage">{path === undefined ? null : <Picture path={path} alt={words} />}</div>
      <div class="about">
        <h2>{words}</h2>
        <dl>
          <Fact name="Rank" value={String(hit.rank)} />
          {hit.match !== null && (
            <Fact name={hit.calibrated ? 'Match' : 'Raw match'} value={percent(hit.match)} />
          )}
          <Fact name="Cosine" value={hit.cosine.toFixed(4)} />
          <Fact name="Id" value={hit.id} />
          <Fact name="Source" value={hit.source} />
          {hit.width && <Fact name="Size" value={`${hit.width} × ${hit.height}`} />}
          {Object.entries(hit.meta).map(([name, value]) => (
            <Fact key={name} name={name} value={typeof value === 'string' ? value : JSON.stringify(value)} />
          ))}
        </dl>
        <div class="buttons">
          <button type="button" onClick={() => move(-1)}>
            ← Previous
          </button>
          <button type="button" onClick={() => move(1)}>
            Next →
          </button>
          <button type="button" onClick={() => like(hit)}>
            More like this
          </button>
          <button type="button" onClick={() => unlike(hit)}>
            Less like this
          </button>
          {hit.imageKey && (
            <a
              href={addressOf(
                `v1/items/${encodeURIComponent(hit.imageKey)}/image?${new URLSearchParams({ collection })}`,
              )}
              target="_blank"
              rel="noreferrer"
            >
              The file
            </a>
          )}
          <button type="button" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
      </div>
    </dialog>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
