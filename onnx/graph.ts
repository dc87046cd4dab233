/** Element types of tensors, with their numbers in the ONNX schema. */
export const ELEMENT_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  float16: 10,
  float64: 11,
} as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

/** A tensor in the graph, known by its name. */
export interface Value {
  readonly name: string;
}

/** A dimension: a size, or the name of one that is known only when the graph runs. */
export type Dimension = number | string;
export type Attribute = number | readonly number[] | { readonly float: number };

export interface GraphNode {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface GraphValue extends Value {
  readonly type: ElementType;
  readonly dims: readonly Dimension[];
}

/** A place in a file of weights, in bytes. */
export interface FilePlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** A constant of the graph: bytes of its own, or a place in a file. */
export interface Constant extends Value {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Uint8Array | FilePlace;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly constants: readonly Constant[];
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
}

/**
 * Collects an ONNX graph node by node, in the order it is read. `finish` keeps only what the asked outputs need, so
 * what is collected may describe more than one run computes.
 */
export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #constants = new Map<string, Constant>();
  readonly #inputs: GraphValue[] = [];

  input(name: string, type: ElementType, dims: readonly Dimension[]): Value {
    this.#inputs.push({ name, type, dims });
    return { name };
  }

  /** A constant; the same name twice is the same constant. */
  constant(constant: Constant): Value {
    if (!this.#constants.has(constant.name)) this.#constants.set(constant.name, constant);
    return { name: constant.name };
  }

  /** One node with one output; an input that is null is left out. */
  node(
    op: string,
    inputs: readonly (Value | null | undefined)[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
    name = `${op}.${this.#nodes.length}`,
  ): Value {
    this.#add(op, inputs, [name], attributes, domain);
    return { name };
  }

  /** TopK: the `k` [1] largest values along the last axis, in their order, and where each stood. */
  topK(input: Value, k: Value): { readonly values: Value; readonly indices: Value } {
    const name = `TopK.${this.#nodes.length}`;
    const [values, indices] = [`${name}.values`, `${name}.indices`];
    this.#add('TopK', [input, k], [values, indices], { axis: -1, largest: 1, sorted: 1 }, '');
    return { values: { name: values }, indices: { name: indices } };
  }

  /**
   * SkipLayerNormalization of onnxruntime: the sum of two values and a bias, and its norm. Rows that are a sum are read once
   * for both.
   */
  skipLayerNorm(
    inputs: readonly (Value | null)[],
    epsilon: number,
  ): { readonly normed: Value; readonly sum: Value } {
    const name = `SkipLayerNormalization.${this.#nodes.length}`;
    const [normed, sum] = [`${name}.normed`, `${name}.sum`];
    const attributes = { epsilon: { float: epsilon } };
    this.#add('SkipLayerNormalization', inputs, [normed, '', '', sum], attributes, 'com.microsoft');
    return { normed: { name: normed }, sum: { name: sum } };
  }

  /** Split into two equal parts along the first axis. */
  halve(input: Value): readonly [Value, Value] {
    const name = `Split.${this.#nodes.length}`;
    const [first, second] = [`${name}.first`, `${name}.second`];
    this.#add('Split', [input], [first, second], { axis: 0, num_outputs: 2 }, '');
    return [{ name: first }, { name: second }];
  }

  #add(
    op: string,
    inputs: readonly (Value | null | undefined)[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    domain: string,
  ): void {
    this.#nodes.push({ op, domain, inputs: inputs.map((value) => value?.name ?? ''), outputs, attributes });
  }

  /** The graph that computes these outputs and nothing else. */
  finish(outputs: readonly GraphValue[]): Graph {
    const needed = new Set(outputs.map((output) => output.name));
    const reversed = this.#nodes.toReversed().filter((node) => {
      if (!node.outputs.some((output) => output !== '' && needed.has(output))) return false;
      for (const input of node.inputs) needed.add(input);
      return true;
    });
    return {
      nodes: reversed.toReversed(),
      constants: [...this.#constants.values()].filter(({ name }) => needed.has(name)),
      inputs: this.#inputs.filter(({ name }) => needed.has(name)),
      outputs,
    };
  }
}
