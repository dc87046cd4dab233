import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Hit, Refused, search } from '../api.ts';
import { keptPicture } from './kept-pictures.ts';
import { hasQuery, type State, toRequest } from './state.ts';

export interface Found {
  readonly hits: readonly Hit[];
  /** Whether there are no more. */
  readonly isWhole: boolean;
  readonly isBusy: boolean;
  readonly error: Error | undefined;
  readonly unread: number;
  /** Fetches the next page; nothing while one is on its way. */
  readonly more: () => void;
}

interface Shown {
  readonly hits: readonly Hit[];
  readonly cursor: string | null;
  readonly unread: number;
}

const NOTHING: Shown = { hits: [], cursor: null, unread: 0 };

/** The hits of a state, page after page. What was found before stays until its successor is there. */
export function useSearch(state: State, attempt: number): Found {
  const [shown, setShown] = useState(NOTHING);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const running = useRef<AbortController>(undefined);
  const asked = JSON.stringify([toRequest(state, undefined), state.picture]);

  const fetchPage = useCallback(
    (before: Shown, cursor: string | undefined) => {
      running.current?.abort();
      const own = new AbortController();
      running.current = own;
      setBusy(true);
      setError(undefined);
      ask(state, cursor, own.signal)
        .then(({ hits, cursor: next, unread }) => {
          if (own.signal.aborted) return;
          setShown({ hits: [...before.hits, ...hits], cursor: next, unread: before.unread + unread.length });
          setBusy(false);
        })
        .catch((reason: Error) => {
          if (own.signal.aborted) return;
          setError(reason);
          setBusy(false);
          if (before.hits.length === 0) setShown(NOTHING);
        });
    },
    [asked],
  );

  useEffect(() => {
    if (hasQuery(state)) fetchPage(NOTHING, undefined);
    else {
      running.current?.abort();
      setShown(NOTHING);
      setBusy(false);
      setError(undefined);
    }
    return () => running.current?.abort();
  }, [asked, attempt]);

  const more = useCallback(() => {
    if (!isBusy && !error && shown.cursor !== null) fetchPage(shown, shown.cursor);
  }, [isBusy, error, shown, fetchPage]);
  return { hits: shown.hits, isWhole: shown.cursor === null, isBusy, error, unread: shown.unread, more };
}

async function ask(state: State, cursor: string | undefined, signal: AbortSignal) {
  const picture = state.picture === '' ? undefined : await keptPicture(state.picture);
  if (state.picture !== '' && !picture)
    throw new Refused(0, 'PICTURE_GONE', 'This browser no longer has the picture. Drop it here again.');
  return search(toRequest(state, cursor), picture, signal);
}
