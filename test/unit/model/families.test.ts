import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadCheckpoint } from "../../../server/checkpoint/loadCheckpoint.ts";
import { openSafetensors } from "../../../server/checkpoint/safetensors.ts";
import { saveCheckpoint } from "../../../server/checkpoint/saveCheckpoint.ts";
import { compile } from "../../../server/engine/onnx/compile.ts";
import { cpuEngine } from "../../../server/engine/onnx/engine.ts";
import { Store } from "../../../server/engine/store.ts";
import { eager } from "../../../server/engine/tfjs/eager.ts";
import { generator } from "../../../server/evaluation/generate.ts";
import { parameterShapes } from "../../../server/model/parameters.ts";
import { trainStep } from "../../../server/model/trainStep.ts";
import { logits } from "../../../server/model/transformer.ts";
import { named, type Program, type Tensors } from "../../../server/ops/program.ts";
import { expectClose } from "../../fixtures/engine.ts";
import { storeOf } from "../../fixtures/models.ts";
import { domains, training, trainingBatch, trainingInputs } from "../../fixtures/training.ts";
import { useCpu } from "../ops/support.ts";

/**
 * Tiny models of every family, with the logits that Transformers computes: test/fixtures/families, written by make.py
 * there with the versions in versions.json.
 */
const fixtures = fileURLToPath(new URL("../../fixtures/families/", import.meta.url));
const names = readdirSync(fixtures, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

const scratch = mkdtempSync(join(tmpdir(), "btx-families-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Expected {
  /** [B, T] */
  ids: number[][];
  /** [B, T, V] */
  logits: Float32Array;
}

function expected(name: string): Expected {
  const { ids } = JSON.parse(readFileSync(join(fixtures, name, "expected.json"), "utf8"));
  const bytes = readFileSync(join(fixtures, name, "logits.f32"));
  return { ids, logits: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) };
}

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
};

describe.each(names)("%s", (name) => {
  beforeAll(useCpu);
  const folder = join(fixtures, name);
  const load = () => loadCheckpoint(folder, parameterShapes);

  test("has Transformers' logits, op by op and compiled", async () => {
    const { config, tensors } = await load();
    const { ids, logits: reference } = expected(name);
    const params: Tensors = Object.fromEntries(
      [...tensors].map(([of, { shape, data }]) => [of, tf.tensor(data, shape)]),
    );
    const computed = logits(params, tf.tensor2d(ids, undefined, "int32"), config).logits;
    expect(largestDifference(await computed.data(), reference)).toBeLessThan(2e-5);

    const store = new Store();
    for (const [of, { shape, data }] of tensors) store.set(of, shape, data);
    const forward: Program = (state, batch) => ({
      state: {},
      results: { logits: logits(state, named(batch, "tokens"), config).logits },
    });
    const shape = [ids.length, ids[0]!.length];
    const program = await compile(forward, store, { tokens: { shape, dtype: "int32" } }, { threads: 1 });
    const results = await program.run({ tokens: Int32Array.from(ids.flat()) });
    await program.dispose();
    expect(largestDifference(results.logits!, reference)).toBeLessThan(2e-5);
  });

  test("generates token by token what its logits say", async () => {
    const { config, tensors } = await load();
    const { ids, logits: reference } = expected(name);
    const generate = await generator(config, tensors, { rows: 1, engine: cpuEngine(1) });
    const time = ids[0]!.length;
    // The most likely token after each prompt, fed as one piece and then token by token.
    for (const length of [time - 3, time]) {
      const [text] = await generate.generate([ids[0]!.slice(0, length)], {
        tokens: 1,
        temperature: 0,
        topP: 1,
        randomSeed: 0,
        stop: () => false,
      });
      const scores = [...reference.subarray((length - 1) * config.vocab, length * config.vocab)];
      expect(text).toEqual([scores.indexOf(Math.max(...scores))]);
    }
    await generate.dispose();
  });

  test("trains compiled as it does op by op", async () => {
    const { config } = await load();
    const short = { ...config, context: 8 };
    const program = trainStep(short, training, domains);
    const batch = trainingBatch(short);
    const [fast, slow] = [storeOf(short, { moments: true }), storeOf(short, { moments: true })];
    const compiled = await compile(program, fast, batch, { threads: 1 });
    const oracle = eager(program, slow, batch, { backend: "cpu" });
    for (const step of [1, 2, 3]) {
      const [ours, theirs] = [
        await compiled.run(trainingInputs(short, step)),
        await oracle.run(trainingInputs(short, step)),
      ];
      for (const result of ["loss", "gradientNorm"]) expectClose(ours[result]!, theirs[result]!, 2e-4);
    }
    await compiled.dispose();
    for (const of of parameterShapes(short).keys())
      expectClose((await fast.read(of)).data, (await slow.read(of)).data, 2e-3);
  });

  test("is written as it was read: the same tensors under the same names", async () => {
    const { config, tensors } = await load();
    const target = join(scratch, name);
    await saveCheckpoint(target, { config, tensors });
    const again = await loadCheckpoint(target, parameterShapes);
    expect(again.config).toEqual(config);
    const [before, after] = [
      await openSafetensors(join(folder, "model.safetensors")),
      await openSafetensors(join(target, "model.safetensors")),
    ];
    const tied = (one: string) => config.tiedEmbeddings && one === "lm_head.weight";
    expect(after.names.toSorted()).toEqual(before.names.filter((one) => !tied(one)).toSorted());
    for (const tensor of after.names) {
      expect(after.tensor(tensor)).toEqual(before.tensor(tensor));
      expect(await after.readFloat32(tensor)).toEqual(await before.readFloat32(tensor));
    }
    await before.close();
    await after.close();
  });
});
