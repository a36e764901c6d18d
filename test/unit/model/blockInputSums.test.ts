import { test } from "vitest";
import { compile } from "../../../server/engine/onnx/compile.ts";
import { Store } from "../../../server/engine/store.ts";
import { blockInputBatch, blockInputSums } from "../../../server/model/blockInputSums.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { expectClose, ints } from "../../fixtures/engine.ts";
import { randomModel, tiny, toWeights } from "../stages/support.ts";
import { referenceBlockInputs } from "./blockInputReference.ts";

const config: ModelConfig = { ...tiny, vocab: 19, context: 6, layers: 3, attentionBias: true, ffnBias: true };

test.each([
  ["every layer", [0, 1, 2]],
  ["some layers", [0, 2]],
])("sums what the feed-forward blocks of %s are given, over the tokens that count", async (_, layers) => {
  const parameters = randomModel(config, 4);
  const tokens = ints([2, config.context], 5, config.vocab).data as Int32Array;
  const weights = Float32Array.from([1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
  const store = new Store();
  for (const [name, { shape, data }] of parameters) store.set(name, shape, data);
  const program = await compile(blockInputSums(config, layers), store, blockInputBatch(config, 2), { threads: 1 });
  const { sums } = await program.run({ tokens, weights });
  await program.dispose();
  const expected = layers.flatMap((layer) => {
    const inputs = [0, 1].flatMap((row) =>
      referenceBlockInputs(toWeights(parameters), [...tokens.subarray(row * 6, row * 6 + 6)], config, layer),
    );
    return Array.from({ length: config.hidden }, (_, i) => inputs.reduce((sum, x, n) => sum + weights[n]! * x[i]!, 0));
  });
  expectClose(sums!, Float32Array.from(expected), 1e-4);
});
