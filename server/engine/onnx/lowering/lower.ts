import { sizeOf } from "../../../ops/program.ts";
import { unreadLast } from "../../graph/dataflow.ts";
import { inFloat16 } from "../../graph/float16.ts";
import {
  type Constant,
  type Graph,
  type GraphDType,
  type GraphNode,
  sameShape,
  type Value,
} from "../../graph/graph.ts";
import { Builder, type Rule } from "./builder.ts";
import { coreRules } from "./coreRules.ts";
import { dtypeCode, type OnnxGraph, type OnnxValue } from "./encode.ts";
import { type GroupedLowering, groupedRules, type Pieces } from "./groupedRules.ts";
import { modelRules } from "./modelRules.ts";
import { type MakeRowLayout, type RowLayout, splitRows, tiledRows } from "./rowLayout.ts";
import { webgpuRules } from "./webgpuRules.ts";

export interface LoweredProgram {
  onnx: OnnxGraph;
  /** Map the names of state, batch and results to names of ONNX inputs (only those that are read) and outputs. */
  state: Map<string, string>;
  batch: Map<string, string>;
  newState: Map<string, string>;
  results: Map<string, string>;
}

/** The execution provider of ONNX Runtime that a graph is written for. */
export type Target = "cpu" | "webgpu";

const layOut: Record<Target, MakeRowLayout> = { cpu: splitRows, webgpu: tiledRows };
const rules: Record<Target, Record<string, Rule>> = {
  cpu: { ...coreRules, ...modelRules },
  webgpu: { ...coreRules, ...modelRules, ...webgpuRules },
};

/** Turns a folded graph into ONNX for `target`. @throws Error if a kernel has no rule */
export function lower(graph: Graph, target: Target = "cpu"): LoweredProgram {
  return new Lowerer(inFloat16(graph), target).run();
}

class Lowerer implements GroupedLowering {
  readonly build = new Builder();
  readonly #graph: Graph;
  readonly #target: Target;
  readonly #layouts = new Map<Value, RowLayout>();
  readonly #names = new Map<Value, string>();
  readonly #pieces = new Map<Value, Pieces>();
  readonly #producer = new Map<Value, GraphNode>();

  constructor(graph: Graph, target: Target) {
    this.#graph = graph;
    this.#target = target;
    for (const node of graph.nodes) for (const output of node.outputs) this.#producer.set(output, node);
  }

  run(): LoweredProgram {
    const { state, batch, nodes, newState, results } = this.#graph;
    const inputs: OnnxValue[] = [];
    const declare = (named: Map<string, Value>, prefix: string) => {
      const names = new Map<string, string>();
      for (const [name, value] of named) {
        const onnxName = `${prefix}:${name}`;
        names.set(name, onnxName);
        this.#names.set(value, onnxName);
        inputs.push({ name: onnxName, dtype: value.dtype, shape: value.shape });
      }
      return names;
    };
    const stateNames = declare(state, "state");
    const batchNames = declare(batch, "batch");
    for (const node of nodes) this.#lower(node);

    const outputs: OnnxValue[] = [];
    const given = new Set([...stateNames.values(), ...batchNames.values()]);
    const publish = (named: Map<string, Value>) => {
      const names = new Map<string, string>();
      for (const [name, value] of named) {
        let onnxName = this.name(value);
        const taken = given.has(onnxName) || outputs.some((output) => output.name === onnxName);
        if (taken || this.#graph.constants.has(value)) {
          this.build.label(`output ${name}`);
          onnxName = this.build.node("Identity", [onnxName]);
        }
        names.set(name, onnxName);
        outputs.push({ name: onnxName, dtype: value.dtype, shape: value.shape });
      }
      return names;
    };
    const newStateNames = publish(newState);
    const resultNames = publish(results);
    // In every run, the runtime would copy an input that no node reads back from the device.
    const read = new Set(this.build.nodes.flatMap((node) => node.inputs));
    const onlyRead = (names: Map<string, string>) => new Map([...names].filter(([, onnxName]) => read.has(onnxName)));
    return {
      onnx: {
        ...(this.#target === "cpu" ? { done: this.build.node("SequenceEmpty", []) } : {}),
        nodes: unreadLast(this.build.nodes),
        initializers: this.build.initializers,
        inputs: inputs.filter(({ name }) => read.has(name)),
        outputs,
      },
      state: onlyRead(stateNames),
      batch: onlyRead(batchNames),
      newState: newStateNames,
      results: resultNames,
    };
  }

  #lower(node: GraphNode): void {
    this.build.label(node.kernel);
    const byExpert = groupedRules[node.kernel]?.(this, node);
    if (byExpert) {
      byExpert.forEach((result, index) => {
        const output = node.outputs[index]!;
        if (typeof result === "string") this.#names.set(output, result);
        else this.#pieces.set(output, result);
      });
      return;
    }
    const rule = rules[this.#target][node.kernel];
    const values = [...node.inputs.values()];
    if (!rule) {
      const shapes = values.map(({ shape }) => `[${shape}]`).join(", ");
      throw new Error(`op ${node.kernel} has no ONNX form; inputs: ${shapes}`);
    }
    const names = values.map((value) => this.name(value));
    const lowered = rule({ node, names, values, attrs: node.attrs, output: node.outputs[0]!, build: this.build });
    const outputs = typeof lowered === "string" ? [lowered] : lowered;
    node.outputs.forEach((output, index) => {
      this.#names.set(output, outputs[index]!);
    });
  }

  name(value: Value): string {
    const known = this.#names.get(value);
    if (known) return known;
    const pieces = this.#pieces.get(value);
    const constant = this.#graph.constants.get(value);
    const name = pieces
      ? this.layoutOf(pieces.sizes, value.shape[0]!).join(pieces.names)
      : this.#constant(constant!, value.shape, value.dtype);
    this.#names.set(value, name);
    return name;
  }

  #constant(constant: Constant, shape: number[], dtype: GraphDType): string {
    if ("data" in constant) return this.build.constant(dtype, shape, constant.data);
    const array = dtype === "float32" ? Float32Array : dtype === "int32" ? Int32Array : Uint8Array;
    if (sizeOf(shape) <= 64)
      return this.build.constant(dtype, shape, array.from(Array(sizeOf(shape)).fill(constant.uniform)));
    const one = this.build.constant(dtype, [], array.of(constant.uniform));
    return this.build.node("Expand", [one, this.build.ints(shape)]);
  }

  existingPieces(value: Value, sizes?: Value): Pieces | undefined {
    const pieces = this.#pieces.get(value);
    return pieces && (!sizes || pieces.sizes === sizes) ? pieces : undefined;
  }

  layoutOf(sizes: Value, rows: number): RowLayout {
    const known = this.#layouts.get(sizes);
    if (known) return known;
    const layout = layOut[this.#target](this.build, this.name(sizes), rows, sizes.shape[0]!);
    this.#layouts.set(sizes, layout);
    return layout;
  }

  /** Repeats the operation that produced `value` on each piece where that is possible; otherwise cuts the value. */
  piecesOf(value: Value, sizes: Value): Pieces {
    const existing = this.existingPieces(value, sizes);
    if (existing) return existing;
    const producer = this.#producer.get(value);
    const [x, indices] = producer ? [...producer.inputs.values()] : [];
    let names: string[];
    if (producer?.kernel === "GatherV2" && producer.attrs.axis === 0 && indices!.shape.length === 1) {
      const source = this.name(x!);
      names = this.piecesOf(indices!, sizes).names.map((piece) =>
        this.build.node("Gather", [source, piece], { axis: 0 }),
      );
    } else if (producer?.kernel === "Cast") {
      const to = dtypeCode[value.dtype];
      names = this.piecesOf(x!, sizes).names.map((piece) => this.build.node("Cast", [piece], { to }));
    } else if (
      producer &&
      scaledRows.has(producer.kernel) &&
      sameShape(x!.shape, value.shape) &&
      rowsMatch(indices!, value)
    ) {
      const scale = this.piecesOf(indices!, sizes).names;
      const op = producer.kernel === "Multiply" ? "Mul" : producer.kernel;
      names = this.piecesOf(x!, sizes).names.map((piece, e) => this.build.node(op, [piece, scale[e]!]));
    } else {
      names = this.layoutOf(sizes, value.shape[0]!).cut(this.name(value));
    }
    const pieces = { sizes, names };
    this.#pieces.set(value, pieces);
    return pieces;
  }
}

/** Kernels that can be computed in pieces, if the second operand has a row for each row of the first. */
const scaledRows = new Set(["Multiply", "Add", "Sub"]);
const rowsMatch = (operand: Value, value: Value): boolean =>
  operand.shape.length === value.shape.length && operand.shape[0] === value.shape[0];
