export interface Kept<T> {
  (): Promise<T>;
  /** What was made; undefined where nothing was, or could be. */
  made(): Promise<T | undefined>;
}

/** Makes a thing once, when it is first asked for. What could not be made may be the next time. */
export function kept<T>(make: () => Promise<T>): Kept<T> {
  let making: Promise<T> | undefined;
  const get = (): Promise<T> => {
    making ??= make().catch((error: unknown) => {
      making = undefined;
      throw error;
    });
    return making;
  };
  return Object.assign(get, { made: async () => making?.catch(() => undefined) });
}
