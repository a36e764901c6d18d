import { appendFileSync } from "node:fs";
import { UserError } from "../../protocol/errors.ts";
import type { Constant, Graph, Value } from "./graph.ts";

/** What is printed in addition to the graph. */
export interface PrintOptions {
  /** Name of the program; "" if it has none. */
  program: string;
  /** Whether the engine overwrites a state tensor with its new values. */
  inPlace(state: string): boolean;
}

/** Appends the graph as readable text to the file named by the environment variable BTX_GRAPH, if it is set. */
export function printGraph(graph: Graph, printed: PrintOptions): void {
  const file = process.env.BTX_GRAPH;
  if (!file) return;
  try {
    // In a single write, because several processes may print to the same file.
    appendFileSync(file, graphText(graph, printed));
  } catch (error) {
    throw new UserError(`BTX_GRAPH: "${file}" cannot be written: ${(error as Error).message}`);
  }
}

/** Maximum number of elements printed for a constant. */
const maxElements = 8;

const typeText = ({ dtype, shape }: Value): string => `${dtype} [${shape.join(", ")}]`;

function constantText(constant: Constant): string {
  if ("uniform" in constant) return Object.is(constant.uniform, -0) ? "-0" : `${constant.uniform}`;
  const { data } = constant;
  const first = [...data.subarray(0, maxElements)].join(", ");
  return data.length <= maxElements ? `[${first}]` : `[${first}, and ${data.length - maxElements} more]`;
}

/** For example {perm: [1, 0], transposeB: true}; empty without attributes. */
function attributesText(attributes: Record<string, unknown>): string {
  const valueText = (value: unknown): string =>
    Array.isArray(value) ? `[${value.map(valueText).join(", ")}]` : (JSON.stringify(value) ?? `${value}`);
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return "";
  return ` {${given.map(([name, value]) => `${name}: ${valueText(value)}`).join(", ")}}`;
}

/**
 * A graph as readable text: its inputs, one line per node with operands, attributes, type and shape, and its outputs.
 * Every value has a number and is defined before it is used:
 *
 *     program trainStep
 *     state
 *       %0 = "lm_head.weight": float32 [96, 64]
 *     batch
 *       %1 = "tokens": int32 [8, 16]
 *     constants
 *       %2 = 0.5: float32 []
 *     nodes
 *       %12 = BatchMatMul(%3, %0) {transposeA: false, transposeB: true}: float32 [128, 96]
 *     new state
 *       "lm_head.weight" = %40, in place
 *     results
 *       "trainingLoss" = %31
 */
export function graphText(graph: Graph, { program, inPlace }: PrintOptions): string {
  const numbers = new Map<Value, string>();
  const defined = (value: Value): string => {
    const number = `%${numbers.size}`;
    numbers.set(value, number);
    return number;
  };
  const number = (value: Value): string => {
    const known = numbers.get(value);
    if (known === undefined) throw new Error(`a value ${typeText(value)} is used before it is defined`);
    return known;
  };
  const section = (title: string, lines: string[]): string[] =>
    lines.length > 0 ? [title, ...lines.map((line) => `  ${line}`)] : [];
  const given = (named: Map<string, Value>) =>
    [...named].map(([name, value]) => `${defined(value)} = ${JSON.stringify(name)}: ${typeText(value)}`);
  return [
    `program ${program || "without a name"}`,
    ...section("state", given(graph.state)),
    ...section("batch", given(graph.batch)),
    ...section(
      "constants",
      [...graph.constants].map(
        ([value, constant]) => `${defined(value)} = ${constantText(constant)}: ${typeText(value)}`,
      ),
    ),
    ...section(
      "nodes",
      graph.nodes.map(({ kernel, inputs, attrs, outputs }) => {
        const operands = [...inputs.values()].map(number).join(", ");
        const names = outputs.map(defined).join(", ");
        return `${names} = ${kernel}(${operands})${attributesText(attrs)}: ${outputs.map(typeText).join(", ")}`;
      }),
    ),
    ...section(
      "new state",
      [...graph.newState].map(
        ([name, value]) => `${JSON.stringify(name)} = ${number(value)}${inPlace(name) ? ", in place" : ""}`,
      ),
    ),
    ...section(
      "results",
      [...graph.results].map(([name, value]) => `${JSON.stringify(name)} = ${number(value)}`),
    ),
    "\n",
  ].join("\n");
}
