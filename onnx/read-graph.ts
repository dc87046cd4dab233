import { errorMessage, VlmoError } from '#errors.ts';
import { type Field, WireFile } from './wire.ts';

/** An input or output: its name, the number of its element type, and its axes, free ones by their names. */
export interface GraphTensor {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly (number | string)[];
}

/** What can be known of a graph without its weights. */
export interface GraphInfo {
  /** Without those that are weights. */
  readonly inputs: readonly GraphTensor[];
  readonly outputs: readonly GraphTensor[];
  /** Names of the operators, without their domains. */
  readonly operators: ReadonlySet<string>;
  /** Files that hold weights, as the graph names them: relative to its folder. */
  readonly externalFiles: readonly string[];
  /** Numbers in all weights. */
  readonly parameters: number;
}

const MAX_NODES = 200_000;
const MAX_DEPTH = 8;
const MAX_NAME_BYTES = 4096;
const MAX_AXES = 16;
const MAX_EXTERNAL_FILES = 1000;
/** What onnxruntime has built in; others need a library, which would be code of whoever made the graph. */
const DOMAINS = ['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft'];
const EXTERNAL = 1;

/**
 * Reads an ONNX graph as far as it is described, never its weights. Throws MODEL_INVALID for what is no graph, is beyond the
 * limits, needs operators that onnxruntime does not have built in, or names files outside of its folder.
 */
export function readGraph(path: string): GraphInfo {
  try {
    using file = new WireFile(path);
    return new GraphReader(file).read();
  } catch (error) {
    if (error instanceof VlmoError) throw error;
    throw new VlmoError(
      'MODEL_INVALID',
      `Cannot read graph "${path}": expected an ONNX graph for onnxruntime, received ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

class GraphReader {
  readonly #file: WireFile;
  readonly #operators = new Set<string>();
  readonly #files = new Set<string>();
  readonly #domains: string[] = [];
  /** Domains of functions that the file brings along, made of other operators. */
  readonly #own = new Set<string>();
  readonly #weights = new Set<string>();
  #parameters = 0;
  #nodes = 0;

  constructor(file: WireFile) {
    this.#file = file;
  }

  read(): GraphInfo {
    let graph: Field | undefined;
    for (const field of this.#file.fields(0, this.#file.size)) {
      if (field.number === 7) graph = field;
      if (field.number === 25) this.#function(field);
    }
    if (!graph) throw new Error('a file without one');
    const [inputs, outputs]: [GraphTensor[], GraphTensor[]] = [[], []];
    this.#graph(graph, 0, inputs, outputs);
    const foreign = this.#domains.find((domain) => !DOMAINS.includes(domain) && !this.#own.has(domain));
    if (foreign !== undefined) throw new Error(`operators of "${foreign}", which is not built in`);
    return {
      inputs: inputs.filter(({ name }) => !this.#weights.has(name)),
      ...{ outputs, operators: this.#operators, externalFiles: [...this.#files] },
      parameters: this.#parameters,
    };
  }

  #graph(graph: Field, depth: number, inputs: GraphTensor[], outputs: GraphTensor[]): void {
    if (depth > MAX_DEPTH) throw new Error(`graphs inside of each other, more than ${MAX_DEPTH}`);
    for (const field of this.#within(graph)) {
      if (field.number === 1) this.#node(field, depth);
      if (field.number === 5) this.#tensor(field);
      if (field.number === 15)
        for (const part of this.#within(field)) if (part.number < 3) this.#tensor(part);
      if (field.number === 11) inputs.push(this.#valueInfo(field));
      if (field.number === 12) outputs.push(this.#valueInfo(field));
    }
  }

  #node(node: Field, depth: number): void {
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES) throw new Error(`more than ${MAX_NODES} nodes`);
    let domain = '';
    for (const field of this.#within(node)) {
      if (field.number === 4) this.#operators.add(this.#name(field));
      if (field.number === 7) domain = this.#name(field);
      if (field.number === 5) this.#attribute(field, depth);
    }
    if (!this.#domains.includes(domain)) this.#domains.push(domain);
  }

  /** Weights and whole graphs may hide in an attribute. */
  #attribute(attribute: Field, depth: number): void {
    for (const field of this.#within(attribute)) {
      if (field.number === 5 || field.number === 10) this.#tensor(field);
      if (field.number === 6 || field.number === 11) this.#graph(field, depth + 1, [], []);
      if (field.number === 22 || field.number === 23)
        for (const part of this.#within(field)) if (part.number < 3) this.#tensor(part);
    }
  }

  #function(field: Field): void {
    for (const part of this.#within(field)) {
      if (part.number === 10) this.#own.add(this.#name(part));
      if (part.number === 7) this.#node(part, 1);
    }
  }

  #tensor(tensor: Field): void {
    const dims: number[] = [];
    let isExternal = false;
    let location: string | undefined;
    for (const field of this.#within(tensor)) {
      if (field.number === 1) dims.push(...this.#file.numbers(field));
      if (field.number === 8) this.#weights.add(this.#name(field));
      if (field.number === 14) isExternal = field.value === EXTERNAL;
      if (field.number === 13) {
        const [key, value] = this.#entry(field);
        if (key === 'location') location = value;
      }
      if (dims.length > MAX_AXES) throw new Error(`a tensor of more than ${MAX_AXES} axes`);
    }
    this.#parameters += dims.reduce((product, size) => product * size, 1);
    if (isExternal || location !== undefined) this.#files.add(insideOnly(location ?? ''));
    if (this.#files.size > MAX_EXTERNAL_FILES) throw new Error(`more than ${MAX_EXTERNAL_FILES} files`);
  }

  #entry(field: Field): [key: string, value: string] {
    const found: [string, string] = ['', ''];
    for (const part of this.#within(field))
      if (part.number === 1 || part.number === 2) found[part.number - 1] = this.#name(part);
    return found;
  }

  #valueInfo(field: Field): GraphTensor {
    let [name, type] = ['', 0];
    const dims: (number | string)[] = [];
    for (const part of this.#within(field)) {
      if (part.number === 1) name = this.#name(part);
      if (part.number !== 2) continue;
      for (const tensor of this.#within(part)) {
        if (tensor.number !== 1) continue;
        for (const side of this.#within(tensor)) {
          if (side.number === 1) type = side.value;
          if (side.number === 2)
            for (const axis of this.#within(side)) if (axis.number === 1) dims.push(this.#axis(axis));
        }
      }
    }
    if (dims.length > MAX_AXES) throw new Error(`"${name}" of more than ${MAX_AXES} axes`);
    return { name, type, dims };
  }

  /** Free where it has a name, nothing at all, or no size above 0. */
  #axis(axis: Field): number | string {
    for (const part of this.#within(axis)) {
      if (part.number === 1 && part.value > 0 && part.value < 2 ** 31) return part.value;
      if (part.number === 2) return this.#name(part);
    }
    return '';
  }

  #name(field: Field): string {
    return this.#file.text(field, MAX_NAME_BYTES);
  }

  #within({ start, end }: Field): Generator<Field> {
    return this.#file.fields(start, end);
  }
}

/** A path that stays below the folder it starts from. */
function insideOnly(location: string): string {
  const parts = location.split('/');
  const isPlain = !/^[A-Za-z]:|[\\\0]/.test(location) && parts.every((part) => part !== '' && part !== '..');
  if (isPlain) return location;
  throw new Error(`weights in "${location}", which is not a file of its folder`);
}
