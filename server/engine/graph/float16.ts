import { type Graph, type GraphNode, newValue, type Value } from "./graph.ts";

/** Kernels that only move values: they give the same values in float16 as in float32. */
const moves = new Set(["Reshape", "Transpose", "Slice", "Concat", "SplitV", "GatherV2"]);
/** Kernels that are computed in float16 if possible. */
const computes = new Set(["BatchMatMul", "GroupedMatMul", "GroupedWeightGrad", "SwiGlu", "SwiGluGrad"]);

/**
 * Changes values to float16 where the program asks for that precision with kernel `Float16`: values that it rounds,
 * values moved from them, and results of products that have only such inputs and are only read to be rounded. All other
 * values stay float32, with casts in between.
 */
export function inFloat16(graph: Graph): Graph {
  if (!graph.nodes.some(({ kernel }) => kernel === "Float16")) return graph;
  const unrounded = readUnrounded(graph);
  const nodes: GraphNode[] = [];
  /** The float16 counterparts of float32 values. */
  const half = new Map<Value, Value>();
  /** Float32 values that so far exist only as their float16 counterparts. */
  const only = new Set<Value>();
  const cast = (x: Value, to: Value) =>
    nodes.push({ kernel: "Cast", inputs: new Map([["x", x]]), attrs: { dtype: to.dtype }, outputs: [to] });
  const inFull = (values: Iterable<Value>) => {
    for (const value of values) if (only.delete(value)) cast(half.get(value)!, value);
  };
  const halved = (value: Value): Value => {
    const narrow = newValue(value.shape, "float16");
    half.set(value, narrow);
    only.add(value);
    return narrow;
  };

  for (const node of graph.nodes) {
    const inputs = [...node.inputs.values()];
    if (node.kernel === "Float16") {
      const [x, output] = [inputs[0]!, node.outputs[0]!];
      const known = half.get(x);
      if (!known) cast(x, halved(output));
      else {
        half.set(output, known);
        only.add(output);
      }
      continue;
    }
    const floats = inputs.filter(({ dtype }) => dtype === "float32");
    const may = moves.has(node.kernel) || (computes.has(node.kernel) && !node.outputs.some((x) => unrounded.has(x)));
    if (may && floats.length > 0 && floats.every((x) => half.has(x))) {
      const narrow = [...node.inputs].map(([name, x]): [string, Value] => [name, half.get(x) ?? x]);
      nodes.push({ ...node, inputs: new Map(narrow), outputs: node.outputs.map(halved) });
    } else {
      inFull(inputs);
      nodes.push(node);
    }
  }
  inFull([...graph.newState.values(), ...graph.results.values()]);
  return { ...graph, nodes };
}

/** Values with a reader that does not round them, also after being moved. */
function readUnrounded({ nodes, newState, results }: Graph): Set<Value> {
  const read = new Set<Value>([...newState.values(), ...results.values()]);
  for (const { kernel, inputs, outputs } of nodes.toReversed()) {
    if (kernel === "Float16" || (moves.has(kernel) && !outputs.some((x) => read.has(x)))) continue;
    for (const x of inputs.values()) read.add(x);
  }
  return read;
}
