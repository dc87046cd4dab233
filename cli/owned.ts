/**
 * What a command has opened, closed in the opposite order when it ends. As `AsyncDisposableStack`, which Node 22 does not
 * have yet.
 */
export class Owned implements AsyncDisposable {
  #closers: (() => unknown)[] = [];

  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.defer(() =>
      Symbol.asyncDispose in resource ? resource[Symbol.asyncDispose]() : resource[Symbol.dispose](),
    );
    return resource;
  }

  defer(close: () => unknown): void {
    this.#closers.push(close);
  }

  /** Hands all of it over. */
  move(): Owned {
    const moved = new Owned();
    [moved.#closers, this.#closers] = [this.#closers, []];
    return moved;
  }

  /** Closes all, and throws what the first that could not be closed threw. */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
