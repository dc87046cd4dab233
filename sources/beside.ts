export interface Description {
  readonly name: string;
  readonly uri: string;
  readonly isLink: boolean;
}

const DESCRIPTION = /\.(txt|json|jsonl|csv|parquet)$/i;

/** The files of one folder that may describe its pictures, found by the names of these. */
export class Beside {
  /** By the name's composed form: a picture may be written decomposed, as macOS does, and its caption composed. */
  readonly #byForm = new Map<string, Description[]>();
  readonly #unused = new Map<string, Description>();

  static isDescription(name: string): boolean {
    return DESCRIPTION.test(name);
  }

  add(description: Description): void {
    const form = formOf(description.name);
    const known = this.#byForm.get(form);
    if (known) known.push(description);
    else this.#byForm.set(form, [description]);
    this.#unused.set(description.name, description);
  }

  /** The files of this name, whatever the case of its ending; those spelled as asked where there are some. */
  find(name: string): readonly Description[] {
    const found = this.#byForm.get(formOf(name)) ?? [];
    const stem = stemOf(name);
    const exact = found.filter((one) => stemOf(one.name) === stem);
    const taken = exact.length > 0 ? exact : found;
    return taken.toSorted((a, b) => (a.name > b.name ? -1 : 1));
  }

  /** Marks a file as read; true the first time. */
  use({ name }: Description): boolean {
    return this.#unused.delete(name);
  }

  /** Files that no picture has asked for. */
  unused(): Iterable<Description> {
    return this.#unused.values();
  }
}

/** A name without its ending. */
export function stemOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(0, dot) : name;
}

function formOf(name: string): string {
  return stemOf(name).normalize('NFC') + name.slice(stemOf(name).length).toLowerCase();
}
