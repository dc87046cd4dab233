import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Collection } from '../api.ts';
import { Picture, thumbnailOf } from '../results/picture.tsx';
import { keptPicture } from './kept-pictures.ts';
import type { State } from './state.ts';
import type { Change } from './use-address.ts';

interface Props {
  readonly state: State;
  readonly change: Change;
  readonly collections: readonly Collection[];
  readonly takePicture: (picture: Blob) => void;
}

const DEBOUNCE_MS = 150;

/** Words, a picture, and items that hits are to be like or unlike: all in one box. */
export function SearchBox({ state, change, collections, takePicture }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const waiting = useRef(0);
  const [text, setText] = useState(state.text);
  useEffect(() => setText(state.text), [state.text]);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== '/' || (event.target as HTMLElement).matches('input, textarea, select')) return;
      event.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  const type = (said: string) => {
    setText(said);
    clearTimeout(waiting.current);
    waiting.current = window.setTimeout(() => change({ text: said }, 'replace'), DEBOUNCE_MS);
  };
  const submit = (event: Event) => {
    event.preventDefault();
    clearTimeout(waiting.current);
    change({ text });
  };
  return (
    <search>
      <form class="box" onSubmit={submit}>
        <Parts state={state} change={change} />
        <input
          ref={input}
          type="search"
          name="q"
          aria-label="Search by words"
          placeholder="Words, or drop a picture"
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={({ currentTarget }) => type(currentTarget.value)}
        />
        <label class="button choose">
          Picture
          <input
            type="file"
            accept="image/*"
            onChange={({ currentTarget }) => {
              const [file] = currentTarget.files ?? [];
              if (file) takePicture(file);
              currentTarget.value = '';
            }}
          />
        </label>
        <button type="submit" class="primary">
          Search
        </button>
      </form>
      <div class="choices">
        {collections.length > 1 && (
          <label>
            Collection{' '}
            <select
              value={state.collection}
              onChange={({ currentTarget }) =>
                change({ collection: currentTarget.value, like: [], unlike: [] })
              }
            >
              {collections.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        )}
        <label>
          Find{' '}
          <select
            value={state.target}
            onChange={({ currentTarget }) =>
              change({ target: currentTarget.value as State['target'], filters: [] })
            }
          >
            <option value="images">pictures</option>
            <option value="captions">captions</option>
          </select>
        </label>
        <label title="Reads the best 60 again, each together with the query: slower, and better">
          <input
            type="checkbox"
            checked={state.rerank}
            onChange={({ currentTarget }) => change({ rerank: currentTarget.checked })}
          />{' '}
          Re-rank
        </label>
        <label title="Captions that hold the words come first">
          <input
            type="checkbox"
            checked={state.hybrid}
            onChange={({ currentTarget }) => change({ hybrid: currentTarget.checked })}
          />{' '}
          Keywords too
        </label>
      </div>
    </search>
  );
}

/** What the query is made of beside its words. */
function Parts({ state, change }: Pick<Props, 'state' | 'change'>) {
  const without = (list: 'like' | 'unlike', key: string) =>
    change({ [list]: state[list].filter((one) => one !== key) });
  return (
    <>
      {state.picture !== '' && (
        <Part words="your picture" remove={() => change({ picture: '' })}>
          <KeptPicture name={state.picture} />
        </Part>
      )}
      {(['like', 'unlike'] as const).flatMap((list) =>
        state[list].map((key) => (
          <Part
            key={list + key}
            kind={list}
            words={`${list === 'like' ? 'like' : 'unlike'} an item`}
            remove={() => without(list, key)}
          >
            {list === 'like' ? '+' : '−'}
            <Picture path={thumbnailOf(key, state.collection, 128) ?? ''} alt="" />
          </Part>
        )),
      )}
    </>
  );
}

interface PartProps {
  readonly words: string;
  readonly kind?: string;
  readonly remove: () => void;
  readonly children: ComponentChildren;
}

function Part({ words, kind = '', remove, children }: PartProps) {
  return (
    <span class={`part ${kind}`}>
      {children}
      <button type="button" aria-label={`Remove ${words}`} title={`Remove ${words}`} onClick={remove}>
        ×
      </button>
    </span>
  );
}

function KeptPicture({ name }: { readonly name: string }) {
  const [url, setUrl] = useState('');
  useEffect(() => {
    let made = '';
    let isGone = false;
    keptPicture(name)
      .then((picture) => {
        if (!picture || isGone) return;
        made = URL.createObjectURL(picture);
        setUrl(made);
      })
      .catch(() => undefined);
    return () => {
      isGone = true;
      URL.revokeObjectURL(made);
    };
  }, [name]);
  return url === '' ? <span>picture</span> : <img src={url} alt="What is searched by" />;
}
