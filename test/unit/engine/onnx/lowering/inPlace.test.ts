import { expect, test } from "vitest";
import type { OnnxGraph, OnnxNode } from "../../../../../server/engine/onnx/lowering/encode.ts";
import { inPlaceInOnnx } from "../../../../../server/engine/onnx/lowering/inPlace.ts";

const node = (op: string, inputs: string[], output: string): OnnxNode => ({
  op,
  domain: "",
  inputs,
  outputs: [output],
  attributes: {},
  name: output,
});
const graph = (...nodes: OnnxNode[]): OnnxGraph => ({
  nodes,
  initializers: [],
  inputs: [],
  outputs: [{ name: "new", dtype: "float32", shape: [1] }],
  done: "done",
});

test("an elementwise update may be written over its input", () => {
  expect(inPlaceInOnnx(graph(node("Mul", ["old", "c"], "a"), node("Sub", ["a", "g"], "new")))("old", "new")).toBe(true);
  expect(inPlaceInOnnx(graph(node("Sub", ["old", "g"], "new")))("old", "new")).toBe(true);
});

test("an update may not be written over an input that a later node still reads", () => {
  expect(inPlaceInOnnx(graph(node("Sub", ["old", "g"], "new"), node("MatMul", ["x", "old"], "y")))("old", "new")).toBe(
    false,
  );
});

test("a reader whose result the update depends on has run before it", () => {
  const nodes = [node("MatMul", ["x", "old"], "y"), node("ReduceSum", ["y"], "g"), node("Sub", ["old", "g"], "new")];
  expect(inPlaceInOnnx(graph(...nodes))("old", "new")).toBe(true);
});

test("rows may be put at places of the tensor that they belong to, not of their own", () => {
  const scattered = (...inputs: string[]) => inPlaceInOnnx(graph(node("ScatterElements", inputs, "new")))("old", "new");
  expect(scattered("old", "indices", "rows")).toBe(true);
  expect(scattered("places", "indices", "old")).toBe(false);
  expect(scattered("old", "indices", "old")).toBe(false);
});

test("an operator that mixes elements may not be written over its input", () => {
  expect(inPlaceInOnnx(graph(node("Softmax", ["old"], "new")))("old", "new")).toBe(false);
});

test("a reader of a view of the input counts as a reader of the input", () => {
  const update = [
    node("Reshape", ["old", "shape"], "t"),
    node("Mul", ["t", "x"], "g"),
    node("Add", ["old", "g"], "new"),
  ];
  expect(inPlaceInOnnx(graph(...update))("old", "new")).toBe(true);
  expect(inPlaceInOnnx(graph(...update, node("MatMul", ["t", "new"], "y")))("old", "new")).toBe(false);
  const twice = [...update, node("Identity", ["t"], "again"), node("MatMul", ["again", "new"], "y")];
  expect(inPlaceInOnnx(graph(...twice))("old", "new")).toBe(false);
});
