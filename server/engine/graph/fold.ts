import { sizeOf } from "../../ops/program.ts";
import { type Constant, type Graph, type GraphNode, newValue, sameShape, type Value } from "./graph.ts";
import { axesOf } from "./shapes.ts";

/**
 * Removes what TF.js's gradients leave behind and what costs a pass over memory for nothing: multiplication by ones,
 * addition of zeros, casts and reshapes that do nothing, constants as large as a tensor, transposes before a product,
 * work whose result nobody uses, and tensors without elements. The values of the outputs do not change.
 */
export function fold(graph: Graph): Graph {
  const folder = new Folder(graph);
  return folder.run();
}

const elementwise = new Set(["Add", "Sub", "Multiply", "RealDiv", "Maximum", "Minimum"]);

class Folder {
  readonly #graph: Graph;
  readonly #constants: Map<Value, Constant>;
  readonly #replaced = new Map<Value, Value>();
  readonly #producer = new Map<Value, GraphNode>();
  readonly #scalars = new Map<string, Value>();
  readonly #nodes: GraphNode[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#constants = new Map(graph.constants);
  }

  run(): Graph {
    for (const node of this.#graph.nodes) this.#visit(node);
    const resolveAll = (named: Map<string, Value>) =>
      new Map([...named].map(([name, value]) => [name, this.#resolve(value)]));
    const newState = resolveAll(this.#graph.newState);
    const results = resolveAll(this.#graph.results);
    return {
      ...this.#graph,
      constants: this.#constants,
      newState,
      results,
      nodes: this.#alive([...newState.values(), ...results.values()]),
    };
  }

  #resolve(value: Value): Value {
    return this.#replaced.get(value) ?? value;
  }

  #uniform(value: Value | undefined): number | undefined {
    const constant = value && this.#constants.get(value);
    return constant && "uniform" in constant ? constant.uniform : undefined;
  }

  #constant(like: Value, constant: Constant): Value {
    const value = newValue(like.shape, like.dtype);
    this.#constants.set(value, constant);
    return value;
  }

  #scalar(uniform: number, dtype: Value["dtype"]): Value {
    const key = `${dtype} ${Object.is(uniform, -0) ? "-0" : uniform}`;
    let value = this.#scalars.get(key);
    if (!value) {
      value = newValue([], dtype);
      this.#constants.set(value, { uniform });
      this.#scalars.set(key, value);
    }
    return value;
  }

  #visit(original: GraphNode): void {
    const inputs = new Map([...original.inputs].map(([name, value]) => [name, this.#resolve(value)]));
    let node: GraphNode = { ...original, inputs };
    if (node.kernel === "ExpandDims") node = { ...node, kernel: "Reshape" };
    const replacement = this.#replacement(node);
    if (replacement) {
      node.outputs.forEach((output, index) => {
        this.#replaced.set(output, replacement[index]!);
      });
      return;
    }
    node = this.#simpler(node);
    for (const output of node.outputs) this.#producer.set(output, node);
    this.#nodes.push(node);
  }

  /** Values already there that equal the node's outputs, if there are. */
  #replacement(node: GraphNode): Value[] | undefined {
    const [output] = node.outputs;
    const [a, b] = [...node.inputs.values()];
    if (node.outputs.every(({ shape }) => sizeOf(shape) === 0)) {
      return node.outputs.map((value) => this.#constant(value, { data: new Float32Array(0) }));
    }
    const empty = this.#ofNothing(node);
    if (empty !== undefined) return node.outputs.map((value) => this.#constant(value, { uniform: empty }));

    const left = this.#uniform(a);
    const right = this.#uniform(b);
    switch (node.kernel) {
      case "Identity":
        return [a!];
      case "Cast":
        if (a!.dtype === output!.dtype) return [a!];
        break;
      case "Reshape": {
        const source = this.#unreshaped(a!);
        if (sameShape(source.shape, output!.shape)) return [source];
        break;
      }
      case "Tile":
        if (sameShape(a!.shape, output!.shape)) return [a!];
        break;
      case "Transpose":
        if ((node.attrs.perm as number[]).every((axis, index) => axis === index)) return [a!];
        break;
      case "ZerosLike":
        return [this.#constant(output!, { uniform: 0 })];
      case "OnesLike":
        return [this.#constant(output!, { uniform: 1 })];
      case "Multiply":
        if (right === 1 && sameShape(a!.shape, output!.shape)) return [a!];
        if (left === 1 && sameShape(b!.shape, output!.shape)) return [b!];
        break;
      case "Add":
        if (right === 0 && sameShape(a!.shape, output!.shape)) return [a!];
        if (left === 0 && sameShape(b!.shape, output!.shape)) return [b!];
        break;
      case "Sub":
        if (right === 0 && sameShape(a!.shape, output!.shape)) return [a!];
        break;
      case "RealDiv":
        if (right === 1 && sameShape(a!.shape, output!.shape)) return [a!];
        break;
    }
    const known = this.#uniformResult(node, left, right);
    return known === undefined ? undefined : [this.#constant(output!, { uniform: known })];
  }

  /** What a reduction or product over zero elements gives, as TF.js has it. */
  #ofNothing({ kernel, inputs }: GraphNode): number | undefined {
    const values = [...inputs.values()];
    if (!values.some(({ shape }) => sizeOf(shape) === 0)) return undefined;
    if (["Sum", "Mean", "BatchMatMul", "UnsortedSegmentSum", "EmbeddingGrad", "GroupedWeightGrad"].includes(kernel))
      return 0;
    return kernel === "Max" || kernel === "Min" ? Number.NaN : undefined;
  }

  /** The one number an op on uniform constants gives. */
  #uniformResult(
    { kernel, inputs, outputs }: GraphNode,
    left: number | undefined,
    right: number | undefined,
  ): number | undefined {
    if (left === undefined) return undefined;
    const round = outputs[0]!.dtype === "float32" ? Math.fround : Math.trunc;
    if (inputs.size === 1) {
      switch (kernel) {
        case "Reshape":
        case "Transpose":
        case "Tile":
        case "Slice":
          return left;
        case "Cast":
          return outputs[0]!.dtype === "bool" ? Number(left !== 0) : round(left);
        case "Neg":
          return -left;
        case "Sqrt":
          return Math.fround(Math.sqrt(left));
      }
      return undefined;
    }
    if (right === undefined || inputs.size !== 2) return undefined;
    switch (kernel) {
      case "Add":
        return round(left + right);
      case "Sub":
        return round(left - right);
      case "Multiply":
        return round(left * right);
      case "RealDiv":
        return round(left / right);
    }
    return undefined;
  }

  /** The same node in a cheaper form. */
  #simpler(node: GraphNode): GraphNode {
    const [output] = node.outputs;
    if (node.kernel === "Reshape") return this.#reshapeOnce(node);
    if (node.kernel === "BatchMatMul") return this.#withoutTransposes(node);
    if (node.kernel === "Sum" || node.kernel === "Mean" || node.kernel === "Max") {
      const x = node.inputs.get("x")!;
      const axes = axesOf(node.attrs.axis ?? node.attrs.reductionIndices, x.shape.length);
      if (x.dtype === output!.dtype && axes.every((axis) => x.shape[axis] === 1)) {
        return this.#reshapeOnce({ ...node, kernel: "Reshape", inputs: new Map([["x", x]]) });
      }
      const before = this.#producer.get(x);
      if (node.kernel === "Sum" && before?.kernel === "Square")
        return { ...node, kernel: "SumOfSquares", inputs: before.inputs };
    }
    if (node.kernel === "Concat") {
      const filled = [...node.inputs].filter(([, { shape }]) => sizeOf(shape) > 0);
      return { ...node, inputs: new Map(filled) };
    }
    if (elementwise.has(node.kernel)) return this.#thinOperands(node);
    return node;
  }

  /** What `value` was before it was reshaped. */
  #unreshaped(value: Value): Value {
    const before = this.#producer.get(value);
    return before?.kernel === "Reshape" ? [...before.inputs.values()][0]! : value;
  }

  #reshapeOnce(node: GraphNode): GraphNode {
    const [x] = node.inputs.values();
    return { ...node, inputs: new Map([["x", this.#unreshaped(x!)]]) };
  }

  #withoutTransposes(node: GraphNode): GraphNode {
    const inputs = new Map(node.inputs);
    const attrs = { ...node.attrs };
    for (const [name, flag] of [
      ["a", "transposeA"],
      ["b", "transposeB"],
    ] as const) {
      const before = this.#producer.get(inputs.get(name)!);
      if (before?.kernel !== "Transpose") continue;
      const perm = before.attrs.perm as number[];
      const last = perm.length - 1;
      if (!perm.every((axis, index) => axis === (index < last - 1 ? index : index === last ? last - 1 : last)))
        continue;
      inputs.set(name, before.inputs.get("x")!);
      attrs[flag] = !attrs[flag];
    }
    return { ...node, inputs, attrs };
  }

  /** Uniform operands as scalars, tiled and ones-multiplied operands as they were before, x + (-y) as x - y. */
  #thinOperands(node: GraphNode): GraphNode {
    const { shape } = node.outputs[0]!;
    const thin = (value: Value, other: Value): Value => {
      const uniform = this.#uniform(value);
      if (uniform !== undefined && sameShape(other.shape, shape)) return this.#scalar(uniform, value.dtype);
      const spread = this.#spreadSource(value);
      return spread && sameShape(other.shape, shape) ? spread : value;
    };
    const [first, second] = [...node.inputs.entries()];
    const b = thin(second![1], first![1]);
    const a = thin(first![1], b);
    const negated = this.#producer.get(b);
    if (negated?.kernel === "Neg" && (node.kernel === "Add" || node.kernel === "Sub")) {
      const kernel = node.kernel === "Add" ? "Sub" : "Add";
      return {
        ...node,
        kernel,
        inputs: new Map([
          [first![0], a],
          [second![0], negated.inputs.get("x")!],
        ]),
      };
    }
    return {
      ...node,
      inputs: new Map([
        [first![0], a],
        [second![0], b],
      ]),
    };
  }

  /** For a value that is x spread over a larger shape (x * ones), that x. */
  #spreadSource(value: Value): Value | undefined {
    const node = this.#producer.get(value);
    if (node?.kernel !== "Multiply") return undefined;
    const [a, b] = [...node.inputs.values()];
    if (this.#uniform(b) === 1) return a;
    if (this.#uniform(a) === 1) return b;
    return undefined;
  }

  #alive(wanted: Value[]): GraphNode[] {
    const needed = new Set(wanted);
    const kept: GraphNode[] = [];
    for (const node of this.#nodes.toReversed()) {
      if (!node.outputs.some((output) => needed.has(output))) continue;
      for (const input of node.inputs.values()) needed.add(input);
      kept.push(node);
    }
    for (const value of this.#constants.keys()) if (!needed.has(value)) this.#constants.delete(value);
    return kept.toReversed();
  }
}
