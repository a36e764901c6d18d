import protobuf from "protobufjs";

/** Element types of ONNX tensors that this engine uses. */
export type DType = "float32" | "float16" | "int32" | "int64" | "bool";

/** TensorProto.DataType of each. */
export const dtypeCode: Record<DType, number> = { float32: 1, float16: 10, int32: 6, int64: 7, bool: 9 };

/** ONNX's message types (onnx.proto, IR version 10): the fields this engine writes, with their official numbers. */
const messages: Record<string, Record<string, [type: string, id: number, repeated?: boolean]>> = {
  ModelProto: {
    irVersion: ["int64", 1],
    producerName: ["string", 2],
    graph: ["GraphProto", 7],
    opsetImport: ["OperatorSetIdProto", 8, true],
  },
  OperatorSetIdProto: { domain: ["string", 1], version: ["int64", 2] },
  GraphProto: {
    node: ["NodeProto", 1, true],
    name: ["string", 2],
    initializer: ["TensorProto", 5, true],
    input: ["ValueInfoProto", 11, true],
    output: ["ValueInfoProto", 12, true],
  },
  NodeProto: {
    input: ["string", 1, true],
    output: ["string", 2, true],
    name: ["string", 3],
    opType: ["string", 4],
    attribute: ["AttributeProto", 5, true],
    domain: ["string", 7],
  },
  AttributeProto: {
    name: ["string", 1],
    f: ["float", 2],
    i: ["int64", 3],
    s: ["bytes", 4],
    t: ["TensorProto", 5],
    floats: ["float", 7, true],
    ints: ["int64", 8, true],
    type: ["int32", 20],
  },
  TensorProto: {
    dims: ["int64", 1, true],
    dataType: ["int32", 2],
    name: ["string", 8],
    rawData: ["bytes", 9],
  },
  ValueInfoProto: { name: ["string", 1], type: ["TypeProto", 2] },
  TypeProto: { tensorType: ["TypeProtoTensor", 1], sequenceType: ["TypeProtoSequence", 4] },
  TypeProtoSequence: { elemType: ["TypeProto", 1] },
  TypeProtoTensor: { elemType: ["int32", 1], shape: ["TensorShapeProto", 2] },
  TensorShapeProto: { dim: ["Dimension", 1, true] },
  Dimension: { dimValue: ["int64", 1] },
};

const root = new protobuf.Root();
for (const [name, fields] of Object.entries(messages)) {
  const type = new protobuf.Type(name);
  for (const [field, [fieldType, id, repeated]] of Object.entries(fields)) {
    type.add(new protobuf.Field(field, id, fieldType, repeated ? "repeated" : undefined));
  }
  root.add(type);
}
const modelProto = root.lookupType("ModelProto");

export type Attribute = number | number[] | string | OnnxTensor | { float: number };

export interface OnnxTensor {
  name: string;
  dtype: DType;
  shape: number[];
  /** Little-endian, row-major. */
  bytes: Uint8Array;
}

export interface OnnxNode {
  op: string;
  /** "" is ONNX's own domain; "com.microsoft" holds ONNX Runtime's operators. */
  domain: string;
  inputs: string[];
  outputs: string[];
  attributes: Record<string, Attribute>;
  /** Name for messages and profiles. */
  name: string;
}

export interface OnnxValue {
  name: string;
  /** Absent only for outputs, where the runtime infers it. */
  dtype?: DType;
  /** Absent: any shape. */
  shape?: number[];
}

export interface OnnxGraph {
  nodes: OnnxNode[];
  initializers: OnnxTensor[];
  inputs: OnnxValue[];
  outputs: OnnxValue[];
  /** On the CPU, the first output: a sequence of tensors that is always empty (see `onnx/runInPlace.ts`). */
  done?: string;
}

const tensorProto = (tensor: OnnxTensor) => ({
  dims: tensor.shape,
  dataType: dtypeCode[tensor.dtype],
  name: tensor.name,
  rawData: tensor.bytes,
});

const attributeProto = (name: string, value: Attribute) => {
  if (typeof value === "number") return { name, i: value, type: 2 };
  if (typeof value === "string") return { name, s: new TextEncoder().encode(value), type: 3 };
  if (Array.isArray(value)) return { name, ints: value, type: 7 };
  if ("float" in value) return { name, f: value.float, type: 1 };
  return { name, t: tensorProto(value), type: 4 };
};

const valueInfo = ({ name, dtype, shape }: OnnxValue) => ({
  name,
  ...(dtype
    ? {
        type: {
          tensorType: {
            elemType: dtypeCode[dtype],
            ...(shape ? { shape: { dim: shape.map((dimValue) => ({ dimValue })) } } : {}),
          },
        },
      }
    : {}),
});

const emptySequence = (name: string) => ({
  name,
  type: { sequenceType: { elemType: { tensorType: { elemType: dtypeCode.float32 } } } },
});

/** The bytes of an ONNX model file (opset 21, IR version 10). */
export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  const message = modelProto.create({
    irVersion: 10,
    producerName: "btx-studio",
    opsetImport: [
      { domain: "", version: 21 },
      { domain: "com.microsoft", version: 1 },
    ],
    graph: {
      name: "program",
      node: graph.nodes.map(({ op, domain, inputs, outputs, attributes, name }) => ({
        input: inputs,
        output: outputs,
        name,
        opType: op,
        domain,
        attribute: Object.entries(attributes).map(([key, value]) => attributeProto(key, value)),
      })),
      initializer: graph.initializers.map(tensorProto),
      input: graph.inputs.map(valueInfo),
      output: [...(graph.done ? [emptySequence(graph.done)] : []), ...graph.outputs.map(valueInfo)],
    },
  });
  return modelProto.encode(message).finish();
}
