import { describe, expect, test } from "vitest";
import { capture } from "../../../server/engine/capture/capture.ts";
import { fold } from "../../../server/engine/graph/fold.ts";
import { cpuEngine } from "../../../server/engine/onnx/engine.ts";
import { lower } from "../../../server/engine/onnx/lowering/lower.ts";
import type { Store } from "../../../server/engine/store.ts";
import { eager } from "../../../server/engine/tfjs/eager.ts";
import { sequenceBatch } from "../../../server/model/loss.ts";
import { accumulate, gradientName, gradientShapes } from "../../../server/model/trainStep.ts";
import { sizeOf, type Values } from "../../../server/ops/program.ts";
import { layerPrefix } from "../../../server/parameters/names.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { dense, mixture, routed, storeOf } from "../../fixtures/models.ts";
import { domains, trainingInputs } from "../../fixtures/training.ts";

const scale = 1024;
const specsOf = (config: ModelConfig) => ({
  ...sequenceBatch(config, 3),
  lossScale: { shape: [], dtype: "float32" as const },
});
const inputsOf = (config: ModelConfig) => ({ ...trainingInputs(config, 1), lossScale: Float32Array.of(scale) });

function storeWithGradients(config: ModelConfig): Store {
  const store = storeOf(config);
  for (const [name, shape] of gradientShapes(config)) store.set(name, shape, new Float32Array(sizeOf(shape)));
  return store;
}

/** Length of the difference over that of what is expected. */
const distance = (got: Values, want: Values): number =>
  Math.hypot(...got.map((x, i) => x - want[i]!)) / Math.hypot(...want);

const models: [string, ModelConfig][] = [
  ["dense", dense],
  ["mixture-of-experts", mixture],
  ["tied, biased mixture", { ...mixture, tiedEmbeddings: true, attentionBias: true, ffnBias: true }],
  ["soft mixture", routed.soft!],
];

describe("gradients in float16", () => {
  test.each(models)("of a %s model are those of the same program run eagerly, rounded op by op", async (_, config) => {
    const program = accumulate(config, domains, { first: true, precision: "float16" });
    const [fast, slow] = [storeWithGradients(config), storeWithGradients(config)];
    const compiled = await cpuEngine(1).compile(program, fast, specsOf(config));
    const [got, want] = [
      await compiled.run(inputsOf(config)),
      await eager(program, slow, specsOf(config), { backend: "cpu" }).run(inputsOf(config)),
    ];
    await compiled.dispose();
    expect(Math.abs(got.loss![0]! / want.loss![0]! - 1)).toBeLessThan(1e-4);
    for (const name of gradientShapes(config).keys())
      expect(distance(fast.get(name).data, slow.get(name).data), name).toBeLessThan(3e-3);
  });

  test.each(models)("of a %s model are the same but for rounding where blocks are computed anew", async (_, config) => {
    const gradients = async (recompute?: true) => {
      const store = storeWithGradients(config);
      const options = { first: true, precision: "float16" as const, ...(recompute ? { recompute } : {}) };
      const compiled = await cpuEngine(1).compile(accumulate(config, domains, options), store, specsOf(config));
      await compiled.run(inputsOf(config));
      await compiled.dispose();
      return new Map([...gradientShapes(config).keys()].map((name) => [name, store.get(name).data]));
    };
    const [anew, kept] = [await gradients(true), await gradients()];
    for (const [name, gradient] of kept) expect(distance(anew.get(name)!, gradient), name).toBeLessThan(3e-3);
  });
});

test("small gradients are zero in float16, and are not where the loss is scaled", async () => {
  const gradients = async (lossScale: number, precision?: "float16") => {
    const store = storeWithGradients(dense);
    const program = accumulate(dense, domains, { first: true, ...(precision ? { precision } : {}) });
    const compiled = await cpuEngine(1).compile(program, store, precision ? specsOf(dense) : sequenceBatch(dense, 3));
    await compiled.run({ ...inputsOf(dense), lossScale: Float32Array.of(lossScale) });
    await compiled.dispose();
    return store.get(gradientName(`${layerPrefix(0)}.self_attn.q_proj.weight`)).data.map((x) => x / lossScale);
  };
  const full = await gradients(1);
  expect(distance(await gradients(2 ** 10, "float16"), full)).toBeLessThan(1e-2);
  // As if the loss were a millionth: the smallest number of float16 is 6e-8.
  expect(distance(await gradients(2 ** -20, "float16"), full)).toBeGreaterThan(0.3);
});

describe.each(["cpu", "webgpu"] as const)("a program in float16, written for %s", (target) => {
  const graphOf = (config: ModelConfig, precision?: "float16") => {
    const store = storeWithGradients(config);
    const program = accumulate(config, domains, { first: true, ...(precision ? { precision } : {}) });
    return lower(fold(capture(program, store.specs(), specsOf(config))), target).onnx;
  };
  const products = new Set(["Gemm", "MatMul", "FusedMatMul"]);

  /** Of a layer: 4 projections and 2 products of attention, with two gradients each. */
  const attention = 3 * 6;
  /** Of a feed-forward block, or of all experts' where a product takes all; then their gradients are summed by one more each. */
  const [feedForward, together] = [3 * 3, 3 * 4];

  test.each(models)("has every product of a %s model's blocks, and of their gradients, in float16", (_, config) => {
    const { nodes } = graphOf(config, "float16");
    const maker = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
    const narrow = new Set<string>();
    for (const { op, inputs, outputs, attributes } of nodes) {
      const moved = op !== "Cast" && inputs.some((name) => narrow.has(name));
      if (op === "Cast" ? attributes.to === 10 : moved) for (const name of outputs) narrow.add(name);
    }
    const halves = nodes.filter(({ op, inputs }) => products.has(op) && inputs.every((name) => narrow.has(name)));
    const mixed = nodes.filter(
      ({ inputs, op }) => products.has(op) && new Set(inputs.map((x) => narrow.has(x))).size > 1,
    );
    expect(mixed).toEqual([]);
    const chosen = config.moe && config.moe.router.type !== "soft" && target === "webgpu";
    const blocks = chosen ? together : feedForward * (config.moe?.experts.length ?? 1);
    expect(halves.length).toBe(config.layers * (attention + blocks));
    // Nothing that is float16 already goes through float32 unchanged.
    const back = nodes.filter(({ op, inputs }) => op === "Cast" && narrow.has(maker.get(inputs[0]!)?.inputs[0] ?? ""));
    expect(
      back.filter(({ inputs, attributes }) => attributes.to === 10 && maker.get(inputs[0]!)!.op === "Cast"),
    ).toEqual([]);
  });

  test("without it has none", () => {
    expect(graphOf(mixture).nodes.filter(({ op, attributes }) => op === "Cast" && attributes.to === 10)).toEqual([]);
  });
});
