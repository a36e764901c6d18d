import { readFileSync } from "node:fs";
import { join } from "node:path";
import { add, matMul, mean, mul, softmax, square, sum, tanh } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { openSafetensors } from "../../server/checkpoint/safetensors.ts";
import { prepareData } from "../../server/data/prepare.ts";
import type { Executor, Place, StageJob, StageRequest } from "../../server/execution/executor.ts";
import { runStages } from "../../server/execution/runner.ts";
import { parseExperiment } from "../../server/experiment/parse.ts";
import { planExperiment } from "../../server/experiment/plan.ts";
import { addStatistic } from "../../server/model/routingStatistics.ts";
import { oneHot } from "../../server/ops/oneHot.ts";
import { named } from "../../server/ops/program.ts";
import { matrix } from "../../server/parameters/declaration.ts";
import { routerName } from "../../server/parameters/names.ts";
import type { ModelConfig, RouterConfig } from "../../server/protocol/model.ts";
import { routingIndexSchema } from "../../server/protocol/routingFiles.ts";
import type { RunEvent } from "../../server/protocol/run.ts";
import type { Metric, StageSpec } from "../../server/protocol/stage.ts";
import { addRouter } from "../../server/routers/index.ts";
import { bestExperts } from "../../server/routers/selection.ts";
import { blockOf, readRanges, recordFile, trainingLayout } from "../../server/routing/records.ts";
import { stagePaths, stagePathsIn } from "../../server/runs/layout.ts";
import { createRun } from "../../server/runs/runs.ts";
import { writeStage } from "../../server/runs/stages.ts";
import { train } from "../../server/stages/training/train.ts";
import { writeExperiment } from "../fixtures/experiment.ts";
import { leaveDone } from "./execution/pretender.ts";
import { record } from "./runs/records.ts";
import { contextOf, temporaryFolder, tiny, untrained } from "./stages/support.ts";
import { metrics } from "./stages/training/support.ts";

/** What this program leaves open, taken up from outside: a router, a statistic and an executor of this file alone. */

/** Width of what a layer's router hands on (P). */
const width = 3;
const [memory, back] = ["model.routers.memory.weight", "model.routers.back.weight"];
const coefficient = 0.5;
const type = "remembering";

/** Top-1 by W x + V m, m = tanh(M x) of the Mixture-of-Experts layer before; it is charged for large m. */
function addRememberingRouter(): void {
  addRouter(type, {
    traits: { expertsPerToken: () => 1, drops: false },
    declaration: {
      shared: ({ hidden }, { experts }) => [
        matrix({ name: memory, shape: [width, hidden], group: "router" }),
        matrix({ name: back, shape: [experts.length, width], group: "router" }),
      ],
    },
    make: () => ({
      score(x, { params, layer, state }) {
        const own = matMul(x, named(params, routerName(layer)), false, true);
        const logits = state ? add(own, matMul(state, named(params, back), false, true)) : own;
        return { logits, state: tanh(matMul(x, named(params, memory), false, true)) };
      },
      route(input) {
        const { logits, state } = input;
        const best = bestExperts(input, 1);
        const chosen = sum(oneHot(best, logits.shape[1]!), 1);
        const gateOfExpert = mul(softmax(logits), chosen);
        return {
          experts: best,
          gates: sum(gateOfExpert, 1, true),
          chosen,
          gateOfExpert,
          ...(state ? { losses: { stateSize: mul(mean(square(state)), coefficient) } } : {}),
        };
      },
    }),
  });
}

/** The sum of the squares of gates, beside the sum of gates. */
function addGateSquares(): void {
  addStatistic(
    "gateSquares",
    {
      counts: "sum of the squares of the expert's gates",
      axes: ["layer", "domain", "expert"],
      records: ["training"],
    },
    ({ routings, tokens }) => routings.map(({ gateOfExpert }) => matMul(tokens, square(gateOfExpert), true)),
  );
}

/** Runs the finetuning of a run itself and pretends that all else was done: no process is started. */
class Nowhere implements Executor {
  readonly place: Place = {
    cores: 1,
    memory: 1e12,
    devices: [{ engine: "onnx", device: "cpu", name: "this process" }],
    why: "it starts nothing",
    text: "Computes nowhere else.",
  };
  readonly started: string[] = [];
  readonly #config: ModelConfig;
  #data = "";

  constructor(config: ModelConfig) {
    this.#config = config;
  }

  async occupancy() {
    return "free" as const;
  }

  async start(request: StageRequest): Promise<StageJob> {
    this.started.push(request.stage.name);
    const exit = this.#work(request).then(
      () => ({ status: "done" as const }),
      (error: Error) => ({ status: "failed" as const, error: error.stack ?? error.message }),
    );
    return { exit, stop: async () => {}, kill: () => {} };
  }

  async #work({ root, stage }: StageRequest): Promise<void> {
    const { spec, key } = stage;
    const paths = stagePaths(root, key);
    if (spec.kind === "data") {
      this.#data = paths.folder;
      await prepareData(spec, paths.folder);
      return writeStage(paths, record(stage));
    }
    if (spec.kind !== "finetune") return leaveDone(root, stage);
    const context = contextOf<StageSpec>(spec, { parents: { data: this.#data }, folder: paths.folder });
    const { phases, randomSeed } = spec;
    const initial = async () => untrained(this.#config, 1);
    const result = await train(context, { config: this.#config, initial, phases, randomSeed });
    return writeStage(paths, record(stage, { result }));
  }
}

const config: ModelConfig = {
  ...tiny,
  context: 40,
  moe: { experts: ["x", "y", "z"], layers: [0, 1], router: { type, loadBalance: 0 } as unknown as RouterConfig },
};

describe("what is added from outside: a router, a statistic and an executor", () => {
  const executor = new Nowhere(config);
  let status: string;
  let folder: string;
  let lines: Metric[];

  beforeAll(async () => {
    addRememberingRouter();
    addGateSquares();
    // Two steps of 4 sequences of 40 tokens.
    const { file, root } = writeExperiment(temporaryFolder(), {
      finetune: "{tokens: 320, weightDecay: 0}",
      compare: undefined,
    });
    const text = readFileSync(file, "utf8");
    const plan = await planExperiment(parseExperiment(text, file).experiment!, file);
    const run = await createRun(root, { name: "seams", file, experiment: text, stages: plan, reused: [] });
    const never = new AbortController().signal;
    const events: RunEvent[] = [];
    const options = {
      executor,
      fresh: true,
      onEvent: (event: RunEvent) => void events.push(event),
      stop: never,
      kill: never,
    };
    status = await runStages(root, run.record.id, options);
    expect(events.filter((event) => event.event === "stage" && event.error !== undefined)).toEqual([]);
    folder = stagePaths(root, plan.find(({ name }) => name === "finetune")!.key).folder;
    lines = metrics(folder);
  });

  test("a whole run goes through the executor, and two steps are trained", () => {
    expect(status).toBe("done");
    expect(executor.started).toEqual(expect.arrayContaining(["data", "seed", "expert:words", "mix", "finetune"]));
    expect(lines.map(({ step, steps }) => [step, steps])).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  test("the router's loss is a column of its own, of the one layer that was handed a state", () => {
    for (const line of lines) {
      expect(line.stateSize).toBeGreaterThan(0);
      // A mean square of hyperbolic tangents.
      expect(line.stateSize).toBeLessThan(coefficient);
      expect(line.loadBalance).toBeUndefined();
    }
  });

  test("the state goes from layer to layer, and what it is made of is trained", async () => {
    const before = untrained(config, 1);
    const after = await openSafetensors(join(stagePathsIn(folder).checkpoint, "model.safetensors"));
    for (const name of [memory, back]) {
      // Without weight decay only a gradient moves a parameter, and V has one through the state alone.
      const values = await after.readFloat32(name);
      expect(values, name).toHaveLength(before.get(name)!.data.length);
      expect(values, name).not.toEqual(before.get(name)!.data);
    }
    await after.close();
  });

  test("the statistic is recorded with the others, at each step", async () => {
    const { routing, routingIndex } = stagePathsIn(folder);
    const file = (await recordFile(routing, routingIndex, routingIndexSchema, trainingLayout))!;
    expect(file.index.statistics).toEqual(expect.arrayContaining(["gateMass", "gateSquares"]));
    const read = (name: string) => readRanges(file, [0, 1], blockOf(file.layout, name));
    const [squares, masses, tokens] = [await read("gateSquares"), await read("gateMass"), await read("routedTokens")];
    for (const [step, values] of squares.entries())
      for (const [at, value] of values!.entries()) {
        const [mass, count] = [masses[step]![at]!, tokens[step]![at]!];
        // Each gate is a share, so its square is less; and a mean of squares is no less than the square of the mean.
        expect(value).toBeLessThanOrEqual(mass);
        if (count > 0) expect(value).toBeGreaterThanOrEqual((mass * mass * (1 - 1e-5)) / count);
      }
    expect(Math.max(...squares.flatMap((values) => [...values!]))).toBeGreaterThan(0);
  });
});
