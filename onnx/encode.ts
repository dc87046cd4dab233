import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import { type Attribute, type Constant, ELEMENT_TYPES, type Graph, type GraphValue } from './graph.ts';

const IR_VERSION = 10;
/** Opset 20 is the first with Gelu; onnxruntime 1.30 runs it on every provider. */
const OPSETS = [
  { domain: '', version: 20 },
  { domain: 'com.microsoft', version: 1 },
];

const schema = protobuf.parse(readFileSync(new URL(import.meta.resolve('#onnx/onnx.proto')), 'utf8'), {
  keepCase: true,
}).root;
const ModelProto = schema.lookupType('onnx.ModelProto');

/** The graph as the bytes of an ONNX model; weights stay in their own file. */
export function encodeModel(graph: Graph): Uint8Array {
  const message = ModelProto.create({
    ir_version: IR_VERSION,
    producer_name: 'vlmo-pipeline',
    opset_import: OPSETS,
    graph: {
      name: 'vlmo',
      node: graph.nodes.map((node) => ({
        name: node.outputs[0],
        op_type: node.op,
        domain: node.domain,
        input: node.inputs,
        output: node.outputs,
        attribute: Object.entries(node.attributes).map(([name, value]) => ({
          name,
          ...encodeAttribute(value),
        })),
      })),
      initializer: graph.constants.map(encodeConstant),
      input: graph.inputs.map(encodeValue),
      output: graph.outputs.map(encodeValue),
    },
  });
  return ModelProto.encode(message).finish();
}

function encodeAttribute(value: Attribute): object {
  if (typeof value === 'number') return { type: 2, i: value };
  if ('float' in value) return { type: 1, f: value.float };
  return { type: 7, ints: value };
}

function encodeConstant({ name, type, dims, data }: Constant): object {
  const tensor = { name, dims, data_type: ELEMENT_TYPES[type] };
  if (data instanceof Uint8Array) return { ...tensor, raw_data: data };
  return {
    ...tensor,
    data_location: 1,
    external_data: Object.entries(data).map(([key, value]) => ({ key, value: String(value) })),
  };
}

function encodeValue({ name, type, dims }: GraphValue): object {
  const dim = dims.map((size) => (typeof size === 'number' ? { dim_value: size } : { dim_param: size }));
  return { name, type: { tensor_type: { elem_type: ELEMENT_TYPES[type], shape: { dim } } } };
}
