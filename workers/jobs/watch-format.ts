import { VlmoError } from '#errors.ts';
import type { Store } from '#store/contract.ts';

const LOOK_MS = 5000;

export interface FormatWatch extends Disposable {
  /** Aborted, with the error as its reason, once a newer program has raised the format of the index. */
  readonly outdated: AbortSignal;
}

/** Looks at each beat whether this program still knows the format of an index that it works on. */
export function watchFormat(store: Store): FormatWatch {
  const controller = new AbortController();
  const look = (): void => {
    store.requireFormat().catch((error: unknown) => {
      // A disk that is away for a moment says nothing of the format.
      if (error instanceof VlmoError && error.code === 'STORE_VERSION_UNSUPPORTED') controller.abort(error);
    });
  };
  const timer = setInterval(look, LOOK_MS);
  return { outdated: controller.signal, [Symbol.dispose]: () => clearInterval(timer) };
}
