import type { OnnxGraph, OnnxNode } from "../onnx/lowering/encode.ts";

/** Operators that read element i of an operand of the output's shape before they write element i. */
const elementwise = new Set(["Add", "Sub", "Mul", "Div"]);

/** Whether a node may write its output over `input`, which it reads. Scattering leaves its first operand as it is elsewhere. */
const overwrites = ({ op, inputs }: OnnxNode, input: string): boolean =>
  elementwise.has(op) || (op === "ScatterElements" && inputs.indexOf(input) === 0 && inputs.lastIndexOf(input) === 0);

/** Operators whose output may be their input's memory, at once or after the runtime has left out what does nothing. */
const views = new Set([
  "Reshape",
  "Squeeze",
  "Unsqueeze",
  "Flatten",
  "Identity",
  "Cast",
  "Transpose",
  "Slice",
  "Expand",
]);

/**
 * Whether the graph may write `output` over the memory of `input` (same shape): every node that reads `input`, or a
 * view of it, must have run before the node that writes `output`, or be that node and elementwise. Only data
 * dependencies count, so it holds in whatever order the runtime picks.
 */
export function inPlaceTest(graph: OnnxGraph): (input: string, output: string) => boolean {
  const producer = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    for (const name of node.outputs) producer.set(name, index);
  });
  const consumers = new Map<string, number[]>();
  graph.nodes.forEach((node, index) => {
    for (const name of new Set(node.inputs)) {
      const list = consumers.get(name);
      if (list) list.push(index);
      else consumers.set(name, [index]);
    }
  });
  const words = Math.ceil(graph.nodes.length / 32);
  const ancestors = graph.nodes.map((node) => ancestorBits(node, words, producer));
  function ancestorBits(node: OnnxNode, length: number, producers: Map<string, number>): Uint32Array {
    const bits = new Uint32Array(length);
    for (const name of node.inputs) {
      const parent = producers.get(name);
      if (parent === undefined) continue;
      bits[parent >> 5]! |= 1 << (parent & 31);
    }
    return bits;
  }
  // Nodes stand in topological order, so a parent's set is complete before its child's.
  graph.nodes.forEach((node, index) => {
    const bits = ancestors[index]!;
    for (const name of node.inputs) {
      const parent = producer.get(name);
      if (parent === undefined) continue;
      const inherited = ancestors[parent]!;
      for (let word = 0; word < words; word++) bits[word]! |= inherited[word]!;
    }
  });
  /** The nodes that read `name` or what may be its memory. */
  function readersOf(name: string): number[] {
    return (consumers.get(name) ?? []).flatMap((reader) => {
      const node = graph.nodes[reader]!;
      return views.has(node.op) ? [reader, ...node.outputs.flatMap(readersOf)] : [reader];
    });
  }
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return (input, output) => {
    const writer = producer.get(output);
    if (writer === undefined || outputs.has(input)) return false;
    return readersOf(input).every((reader) => {
      if (reader === writer) return overwrites(graph.nodes[writer]!, input);
      return (ancestors[writer]![reader >> 5]! & (1 << (reader & 31))) !== 0;
    });
  };
}
