import type { Collection } from '../api.ts';
import { hasQuery, type State } from './state.ts';
import type { Change } from './use-address.ts';

interface Props {
  readonly state: State;
  readonly change: Change;
  readonly collections: readonly Collection[];
}

/** What to do where nothing is shown, and why nothing is. */
export function Empty({ state, change, collections }: Props) {
  const known = collections.find(({ name }) => name === state.collection);
  if (hasQuery(state))
    return (
      <div class="empty">
        <h2>Nothing matches</h2>
        {state.filters.length > 0 ? (
          <>
            <p>A search finds all that its filters let through, and these let nothing through.</p>
            <button type="button" onClick={() => change({ filters: [] })}>
              Remove the filters
            </button>
          </>
        ) : (
          <p>
            The collection has no {state.target === 'images' ? 'pictures' : 'captions'}: a search otherwise
            finds what is least unlike.
          </p>
        )}
      </div>
    );
  if (known && known.images + known.captions === 0)
    return (
      <div class="empty">
        <h2>Nothing is indexed yet</h2>
        <p>
          <code>vlmo index FOLDER</code> puts pictures in; those that could not be read are listed under Runs
          with the reason.
        </p>
      </div>
    );
  return (
    <div class="empty">
      <h2>Search by meaning</h2>
      {known && (
        <p>
          {count(known.images, 'picture')} and {count(known.captions, 'caption')} in <b>{known.name}</b>, read
          by {known.model}
        </p>
      )}
      <ul>
        <li>Say in words what a picture shows: no keywords are needed.</li>
        <li>Drop, paste or choose a picture to find what is like it, with words beside it if you want.</li>
        <li>
          <b>+</b> and <b>−</b> at a hit ask for more and for less like it.
        </li>
        <li>
          <kbd>/</kbd> goes to the box, arrows go through the hits, <kbd>Enter</kbd> opens one, <kbd>Esc</kbd>{' '}
          closes it.
        </li>
      </ul>
    </div>
  );
}

function count(n: number, word: string): string {
  return `${n.toLocaleString('en')} ${word}${n === 1 ? '' : 's'}`;
}
