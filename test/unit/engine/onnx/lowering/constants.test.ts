import { add, gather, matMul, mul, type Tensor1D } from "@tensorflow/tfjs-core";
import { describe, expect, test } from "vitest";
import { capture } from "../../../../../server/engine/capture/capture.ts";
import { fold } from "../../../../../server/engine/graph/fold.ts";
import { compile } from "../../../../../server/engine/onnx/compile.ts";
import { withConstants } from "../../../../../server/engine/onnx/lowering/constants.ts";
import { lower } from "../../../../../server/engine/onnx/lowering/lower.ts";
import { Store } from "../../../../../server/engine/store.ts";
import type { Program } from "../../../../../server/ops/program.ts";
import { expectClose, float, type Input, ints, specsOf, valuesOf } from "../../../../fixtures/engine.ts";

const state: Record<string, Input> = {
  weight: float([4, 6], 1),
  tied: float([4, 4], 2),
  changed: float([4, 4], 3),
  bias: float([4], 4),
};
const inputs = { ids: ints([3], 5, 4) };

/** Looks rows of `tied` up, and multiplies with `weight`, `tied` and `changed`. */
const program: Program = ({ weight, tied, changed, bias }, { ids }) => {
  const x = gather(tied!, ids as Tensor1D);
  const y = add(matMul(matMul(matMul(x, changed!), tied!, false, true), weight!), 1);
  return { state: { changed: mul(changed!, 0.5) }, results: { y, z: add(x, bias!) } };
};

const lowered = () => lower(fold(capture(program, specsOf(state), specsOf(inputs))));

describe("constants of a program", () => {
  test("are the matrices of its state that stand in products and do not change", () => {
    const made = withConstants(lowered(), (name) => state[name]!);
    expect([...made.state.keys()].sort()).toEqual(["bias", "changed"]);
    expect(made.onnx.inputs.map(({ name }) => name).sort()).toEqual(["batch:ids", "state:bias", "state:changed"]);
    const constant = new Map(made.onnx.initializers.map((tensor) => [tensor.name, tensor]));
    expect(constant.get("state:weight")).toMatchObject({ shape: [4, 6], dtype: "float32" });
    expect(constant.get("state:tied")!.bytes).toEqual(new Uint8Array(state.tied!.data.buffer));
  });

  test("are no more than a model file can hold: what is over it stays state", () => {
    const huge = new Float32Array(2 ** 28);
    const made = withConstants(lowered(), (name) => (name === "weight" ? { shape: [4, 6], data: huge } : state[name]!));
    // The matrices are met in the order of the state.
    expect([...made.state.keys()].sort()).toEqual(["bias", "changed", "tied"]);
  });

  test("give what the same state gives", async () => {
    const run = async (constant: boolean) => {
      const store = new Store();
      for (const [name, { shape, data }] of Object.entries(state)) store.set(name, shape, data.slice());
      const compiled = await compile(program, store, specsOf(inputs), { threads: 1, constant });
      const results = [await compiled.run(valuesOf(inputs)), await compiled.run(valuesOf(inputs))].map(({ y, z }) => [
        y!.slice(),
        z!.slice(),
      ]);
      await compiled.dispose();
      return { results: results.flat(), changed: store.get("changed").data };
    };
    const [constant, plain] = [await run(true), await run(false)];
    constant.results.forEach((values, i) => {
      expectClose(values, plain.results[i]!, 1e-6);
    });
    expectClose(constant.changed, plain.changed);
  });
});
