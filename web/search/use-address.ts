import { useCallback, useEffect, useState } from 'preact/hooks';
import { formatState, parseState, type State } from './state.ts';

export type Change = (change: Partial<State>, how?: 'push' | 'replace') => void;

/** The state of the page, which is its address: changing one changes the other, back and forth go through it. */
export function useAddress(): [State, Change] {
  const [state, setState] = useState(() => parseState(location.search));
  useEffect(() => {
    const read = () => setState(parseState(location.search));
    addEventListener('popstate', read);
    return () => removeEventListener('popstate', read);
  }, []);
  const change = useCallback<Change>((some, how = 'push') => {
    const next = { ...parseState(location.search), ...some };
    history[how === 'push' ? 'pushState' : 'replaceState'](null, '', formatState(next));
    setState(next);
  }, []);
  return [state, change];
}
