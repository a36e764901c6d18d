import { inPlaceTest, type MemoryUse } from "../../graph/dataflow.ts";
import type { OnnxGraph } from "./encode.ts";

/** Operators that read element i of an operand of the output's shape before they write element i. */
const elementwise = new Set(["Add", "Sub", "Mul", "Div"]);

/** Operators whose output may share their input's memory, directly or after the runtime has removed no-ops. */
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

const memoryUse: MemoryUse = {
  // Scattering keeps its first operand's other elements.
  overwrites: ({ op, inputs }, input) =>
    elementwise.has(op) || (op === "ScatterElements" && inputs.indexOf(input) === 0 && inputs.lastIndexOf(input) === 0),
  isView: ({ op }) => views.has(op),
};

/** Whether ONNX Runtime may write an output of the graph over the memory of an input (see `inPlaceTest`). */
export const inPlaceInOnnx = ({ nodes, outputs }: OnnxGraph): ((input: string, output: string) => boolean) =>
  inPlaceTest(nodes, new Set(outputs.map(({ name }) => name)), memoryUse);
