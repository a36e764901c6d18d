import { sizeOf } from "../../ops/program.ts";
import { type Constant, type Graph, type GraphNode, newValue, sameShape, type Value } from "./graph.ts";
import { axesOf } from "./shapes.ts";

/**
 * Removes operations that TF.js's gradients leave behind and that cost a pass over memory for nothing: multiplication
 * by ones, addition of zeros, casts and reshapes without effect, constants as large as a tensor, transposes before a
 * product, unused results, and empty tensors. The values of the outputs do not change.
 */
export function fold(graph: Graph): Graph {
  const known = new Known(graph.constants);
  const replaced = new Map<Value, Value>();
  const resolved = <Key>(values: Map<Key, Value>) =>
    new Map([...values].map(([key, value]) => [key, replaced.get(value) ?? value]));
  const nodes: GraphNode[] = [];
  for (const original of graph.nodes) {
    const node = rewritten({ ...original, inputs: resolved(original.inputs) }, known);
    if ("kernel" in node) {
      known.made(node);
      nodes.push(node);
    } else for (const [index, value] of node.entries()) replaced.set(original.outputs[index]!, value);
  }
  const newState = resolved(graph.newState);
  const results = resolved(graph.results);
  return { ...graph, newState, results, ...alive(nodes, known.constants, [...newState.values(), ...results.values()]) };
}

/** The nodes, in their order, and the constants that the wanted values depend on. */
function alive(nodes: GraphNode[], constants: Map<Value, Constant>, wanted: Value[]) {
  const needed = new Set(wanted);
  const kept: GraphNode[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    for (const input of node.inputs.values()) needed.add(input);
    kept.push(node);
  }
  return { nodes: kept.toReversed(), constants: new Map([...constants].filter(([value]) => needed.has(value))) };
}

/** What is known about values when a node is reached; all earlier nodes are already folded. */
class Known {
  readonly constants: Map<Value, Constant>;
  readonly #producer = new Map<Value, GraphNode>();
  readonly #scalars = new Map<string, Value>();

  constructor(constants: Map<Value, Constant>) {
    this.constants = new Map(constants);
  }

  made(node: GraphNode): void {
    for (const output of node.outputs) this.#producer.set(output, node);
  }

  /** The node that produces a value, if it has this kernel. */
  producer(value: Value, kernel: string): GraphNode | undefined {
    const node = this.#producer.get(value);
    return node?.kernel === kernel ? node : undefined;
  }

  /** The number that all elements of a constant have, if they are equal. */
  uniform(value: Value | undefined): number | undefined {
    const constant = value && this.constants.get(value);
    return constant && "uniform" in constant ? constant.uniform : undefined;
  }

  constant({ shape, dtype }: Omit<Value, "id">, constant: Constant): Value {
    const value = newValue(shape, dtype);
    this.constants.set(value, constant);
    return value;
  }

  /** A scalar constant; the same value for the same number. */
  scalar(uniform: number, dtype: Value["dtype"]): Value {
    const key = `${dtype} ${Object.is(uniform, -0) ? "-0" : uniform}`;
    const value = this.#scalars.get(key) ?? this.constant({ shape: [], dtype }, { uniform });
    this.#scalars.set(key, value);
    return value;
  }

  /** The value before a reshape, or the value itself. */
  unreshaped(value: Value): Value {
    return this.producer(value, "Reshape")?.inputs.values().next().value ?? value;
  }

  /** x if a value is x * ones with a larger shape. */
  spread(value: Value): Value | undefined {
    const [a, b] = this.producer(value, "Multiply")?.inputs.values() ?? [];
    if (this.uniform(b) === 1) return a;
    return this.uniform(a) === 1 ? b : undefined;
  }
}

/** A node with everything that a rewrite may read. */
interface Match {
  node: GraphNode;
  attrs: GraphNode["attrs"];
  /** Its first two inputs. */
  a: Value;
  b: Value | undefined;
  /** The number that all elements of `a` and of `b` have, if they are constants with equal elements. */
  left: number | undefined;
  right: number | undefined;
  /** Its first output. */
  output: Value;
  known: Known;
}

/** Replaces a node by existing values or by a cheaper node; returns nothing if the node stays. */
type Rewrite = (match: Match) => Value | Value[] | GraphNode | undefined | false;

function rewritten(original: GraphNode, known: Known): GraphNode | Value[] {
  let match = matchOf(original, known);
  let from = 0;
  while (match) {
    const next = rewritesOf(match.node.kernel).find(({ place }) => place >= from);
    if (!next) break;
    from = next.place + 1;
    const made = next.rewrite(match);
    if (!made) continue;
    if (!("kernel" in made)) return [made].flat();
    match = matchOf(made, known);
  }
  return match?.node ?? original;
}

/** Undefined for a node without inputs, which nothing rewrites. */
function matchOf(node: GraphNode, known: Known): Match | undefined {
  const [a, b] = node.inputs.values();
  const [output] = node.outputs;
  return (
    a && output && { node, attrs: node.attrs, a, b, left: known.uniform(a), right: known.uniform(b), output, known }
  );
}

const isEmpty = ({ shape }: Value): boolean => sizeOf(shape) === 0;
const filled = (uniform: number, { node, known }: Match): Value[] =>
  node.outputs.map((output) => known.constant(output, { uniform }));
/** The value, if it has the shape of the output. */
const ofShape = (value: Value | undefined, { shape }: Value): Value | undefined =>
  value && sameShape(value.shape, shape) ? value : undefined;

/** A kernel on uniform operands gives a uniform result. */
const ofUniform =
  (number: (x: number) => number): Rewrite =>
  (match) =>
    match.left !== undefined && match.node.inputs.size === 1 && filled(number(match.left), match);
const ofUniforms =
  (number: (x: number, y: number) => number): Rewrite =>
  (match) => {
    const { left, right, output } = match;
    if (left === undefined || right === undefined) return undefined;
    const round = output.dtype === "float32" ? Math.fround : Math.trunc;
    return filled(round(number(left, right)), match);
  };

/**
 * Replaces operands x * ones by x, and uniform constants by scalars, if the other operand has the shape of the output.
 */
const thinOperands: Rewrite = ({ node, a, b, output, known }) => {
  const thin = (value: Value, other: Value): Value => {
    if (!ofShape(other, output)) return value;
    const uniform = known.uniform(value);
    return uniform === undefined ? (known.spread(value) ?? value) : known.scalar(uniform, value.dtype);
  };
  if (!b) return undefined;
  const second = thin(b, a);
  return { ...node, inputs: new Map(Object.entries({ a: thin(a, second), b: second })) };
};

/** Whether a transpose swaps only the last two axes. */
const swapsLast = (perm: number[]): boolean => {
  const last = perm.length - 1;
  return perm.every((axis, index) => axis === (index < last - 1 ? index : index === last ? last - 1 : last));
};
const withoutTranspose =
  (name: "a" | "b", flag: "transposeA" | "transposeB"): Rewrite =>
  ({ node, attrs, known }) => {
    const operand = node.inputs.get(name);
    const before = operand && known.producer(operand, "Transpose");
    const source = before && swapsLast(before.attrs.perm as number[]) && before.inputs.get("x");
    if (!source) return undefined;
    return { ...node, inputs: new Map(node.inputs).set(name, source), attrs: { ...attrs, [flag]: !attrs[flag] } };
  };

const everyKernel = "every kernel";

/** Each rewrite is tried once on a node, in this order, on the result of the previous ones. */
const rewrites: readonly [kernels: readonly string[] | typeof everyKernel, Rewrite][] = [
  [["ExpandDims"], ({ node }) => ({ ...node, kernel: "Reshape" })],

  // Empty tensors, and sums and products over them, with TF.js's results.
  [
    everyKernel,
    ({ node, known }) =>
      node.outputs.every(isEmpty) && node.outputs.map((x) => known.constant(x, { data: new Float32Array(0) })),
  ],
  [
    ["Sum", "Mean", "BatchMatMul", "UnsortedSegmentSum", "EmbeddingGrad", "GroupedWeightGrad"],
    (match) => [...match.node.inputs.values()].some(isEmpty) && filled(0, match),
  ],
  [["Max", "Min"], (match) => isEmpty(match.a) && filled(Number.NaN, match)],
  [["Concat"], ({ node }) => ({ ...node, inputs: new Map([...node.inputs].filter(([, value]) => !isEmpty(value))) })],

  // Operations without effect.
  [["Identity"], ({ a }) => a],
  [["Cast"], ({ a, output }) => a.dtype === output.dtype && a],
  [["Reshape"], ({ a, output, known }) => ofShape(known.unreshaped(a), output)],
  [["Tile"], ({ a, output }) => ofShape(a, output)],
  [["Transpose"], ({ a, attrs }) => (attrs.perm as number[]).every((axis, index) => axis === index) && a],
  [["Multiply", "RealDiv"], ({ a, right, output }) => right === 1 && ofShape(a, output)],
  [["Multiply"], ({ b, left, output }) => left === 1 && ofShape(b, output)],
  [["Add", "Sub"], ({ a, right, output }) => right === 0 && ofShape(a, output)],
  [["Add"], ({ b, left, output }) => left === 0 && ofShape(b, output)],

  // Results that are known in advance.
  [["ZerosLike"], (match) => filled(0, match)],
  [["OnesLike"], (match) => filled(1, match)],
  [["Reshape", "Transpose", "Tile", "Slice"], ofUniform((x) => x)],
  [["Neg"], ofUniform((x) => -x)],
  [["Sqrt"], ofUniform((x) => Math.fround(Math.sqrt(x)))],
  [
    ["Cast"],
    (match) => {
      const { dtype } = match.output;
      const to = {
        bool: (x: number) => Number(x !== 0),
        int32: Math.trunc,
        float32: Math.fround,
        float16: Math.fround,
      };
      return ofUniform(to[dtype])(match);
    },
  ],
  [["Add"], ofUniforms((x, y) => x + y)],
  [["Sub"], ofUniforms((x, y) => x - y)],
  [["Multiply"], ofUniforms((x, y) => x * y)],
  [["RealDiv"], ofUniforms((x, y) => x / y)],

  // Cheaper equivalents.
  [
    ["Sum", "Mean", "Max"],
    ({ node, attrs, a, output }) => {
      const axes = axesOf(attrs.axis ?? attrs.reductionIndices, a.shape.length);
      return a.dtype === output.dtype && axes.every((axis) => a.shape[axis] === 1) && { ...node, kernel: "Reshape" };
    },
  ],
  [["Reshape"], ({ node, a, known }) => ({ ...node, inputs: new Map([["x", known.unreshaped(a)]]) })],
  [
    ["Sum"],
    ({ node, a, known }) => {
      const square = known.producer(a, "Square");
      return square && { ...node, kernel: "SumOfSquares", inputs: square.inputs };
    },
  ],
  [["BatchMatMul"], withoutTranspose("a", "transposeA")],
  [["BatchMatMul"], withoutTranspose("b", "transposeB")],
  [["Add", "Sub", "Multiply", "RealDiv", "Maximum", "Minimum"], thinOperands],
  // x + (-y) is x - y, and x - (-y) is x + y.
  [
    ["Add", "Sub"],
    ({ node, a, b, known }) => {
      const negated = b && known.producer(b, "Neg")?.inputs.get("x");
      const kernel = node.kernel === "Add" ? "Sub" : "Add";
      return negated && { ...node, kernel, inputs: new Map(Object.entries({ a, b: negated })) };
    },
  ],
];

const byKernel = new Map<string, { place: number; rewrite: Rewrite }[]>();

/** The rewrites of a kernel, with their places in the table. */
function rewritesOf(kernel: string): { place: number; rewrite: Rewrite }[] {
  const found =
    byKernel.get(kernel) ??
    rewrites.flatMap(([kernels, rewrite], place) =>
      kernels === everyKernel || kernels.includes(kernel) ? [{ place, rewrite }] : [],
    );
  byKernel.set(kernel, found);
  return found;
}
