import { add, mul } from "@tensorflow/tfjs-core";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { capture } from "../../../../server/engine/capture/capture.ts";
import { fold } from "../../../../server/engine/graph/fold.ts";
import { encodeOnnx } from "../../../../server/engine/onnx/lowering/encode.ts";
import { lower } from "../../../../server/engine/onnx/lowering/lower.ts";
import { runInPlace } from "../../../../server/engine/onnx/runInPlace.ts";

const shape = [2];
const program = lower(
  fold(
    capture(
      ({ p }, { x }) => ({ state: { p: add(p!, x!) }, results: { y: mul(p!, x!) } }),
      { p: { shape, dtype: "float32" } },
      {
        x: { shape, dtype: "float32" },
      },
    ),
  ),
);
const tensor = (...values: number[]) => new Tensor("float32", Float32Array.from(values), shape);

test("a run leaves every output in the buffer it was given", async () => {
  const session = await InferenceSession.create(encodeOnnx(program.onnx));
  const [p, y] = [new Float32Array(2), new Float32Array(2)];
  const feeds = { [program.state.get("p")!]: tensor(1, 2), [program.batch.get("x")!]: tensor(10, 20) };
  const fetches = {
    [program.newState.get("p")!]: new Tensor("float32", p, shape),
    [program.results.get("y")!]: new Tensor("float32", y, shape),
  };
  await runInPlace(session, feeds, fetches, program.onnx.done!);
  expect([...p, ...y]).toEqual([11, 22, 10, 40]);
});

test("an error of the run itself is not taken for the end of one", async () => {
  const session = await InferenceSession.create(encodeOnnx(program.onnx));
  const feeds = { [program.state.get("p")!]: tensor(1, 2), [program.batch.get("x")!]: new Tensor("float32", [1], [1]) };
  await expect(runInPlace(session, feeds, {}, program.onnx.done!)).rejects.toThrow(/dimension/i);
});
