import { expect, test } from "vitest";
import { orderForRuntime } from "../../../../server/engine/graph/order.ts";
import type { OnnxNode } from "../../../../server/engine/onnx/lowering/encode.ts";

const node = (name: string, inputs: string[]): OnnxNode => ({
  op: "Add",
  domain: "",
  inputs,
  outputs: [name],
  attributes: {},
  name,
});

test("nodes that nobody reads come at the end, the earliest last, the others as they were", () => {
  const nodes = [
    node("h1", ["x"]),
    node("h2", ["h1"]),
    node("loss", ["h2"]),
    node("back2", ["h2"]),
    node("weight2", ["back2", "h1"]),
    node("back1", ["back2"]),
    node("weight1", ["back1", "x"]),
  ];
  const names = orderForRuntime(nodes).map(({ name }) => name);
  expect(names).toEqual(["h1", "h2", "back2", "back1", "weight1", "weight2", "loss"]);
});
