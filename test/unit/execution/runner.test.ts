import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runStages } from "../../../server/execution/runner.ts";
import { parseExperiment } from "../../../server/experiment/parse.ts";
import { planExperiment } from "../../../server/experiment/plan.ts";
import type { DeviceReference } from "../../../server/protocol/devices.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import type { RunEvent, RunRecord } from "../../../server/protocol/run.ts";
import type { PlannedStage } from "../../../server/protocol/stage.ts";
import { runPaths, stagePaths } from "../../../server/runs/layout.ts";
import { createRun, readRun } from "../../../server/runs/runs.ts";
import { stopRequested, stopStage } from "../../../server/runs/stop.ts";
import { writeExperiment } from "../../fixtures/experiment.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { leaveDone, Pretender } from "./pretender.ts";

interface Made {
  root: string;
  id: string;
  plan: PlannedStage[];
}

async function madeRun(): Promise<Made> {
  const { file, root } = writeExperiment(temporaryFolder());
  const text = readFileSync(file, "utf8");
  const plan = await planExperiment(parseExperiment(text, file).experiment!, file);
  const run = await createRun(root, { name: "tiny", file, experiment: text, stages: plan, reused: [] });
  return { root, id: run.record.id, plan };
}

interface Ran {
  status: RunRecord["status"];
  record: RunRecord;
  events: RunEvent[];
  /** "stage status" of each event of a stage. */
  said: string[];
}

interface Watching {
  fresh?: boolean;
  stop?: AbortSignal;
  kill?: AbortSignal;
}

async function ran({ root, id }: Made, executor: Pretender, watching: Watching = {}): Promise<Ran> {
  const events: RunEvent[] = [];
  const never = new AbortController().signal;
  const status = await runStages(root, id, {
    executor,
    fresh: watching.fresh ?? true,
    onEvent: (event) => events.push(event),
    stop: watching.stop ?? never,
    kill: watching.kill ?? never,
  });
  const { record } = (await readRun(runPaths(root, id).folder))!;
  const said = events.flatMap((event) => (event.event === "stage" ? [`${event.stage} ${event.status}`] : []));
  return { status, record, events, said };
}

describe("a run on an executor that starts nothing", () => {
  it("starts every stage once, after its parents, and says what becomes of it", async () => {
    const run = await madeRun();
    const executor = new Pretender();
    const { status, record, events, said } = await ran(run, executor);
    expect([status, record.status, record.error]).toEqual(["done", "done", undefined]);
    const { started } = executor;
    expect([...started].sort()).toEqual(run.plan.map(({ name }) => name).sort());
    for (const { name, parents } of run.plan) {
      const begins = said.indexOf(`${name} running`);
      for (const parent of Object.values(parents)) expect(said.indexOf(`${parent} done`)).toBeLessThan(begins);
      expect(said.indexOf(`${name} done`)).toBeGreaterThan(begins);
    }
    expect(events[1]).toEqual({ event: "message", text: executor.place.text });
    expect(executor.asked.start[0]).toMatchObject({ root: run.root, run: run.id, stage: { name: "data" } });
    expect(executor.asked.start[0]!.share.device).toEqual({ engine: "onnx", device: "cpu" });
  });

  it("starts the experts together, and shares out no more cores than the place has", async () => {
    const executor = new Pretender({ cores: 5 });
    let together = 0;
    executor.onChange = () => {
      const experts = [...executor.running].filter(([name]) => name.startsWith("expert:"));
      together = Math.max(together, experts.length);
      const threads = [...executor.running.values()].reduce((sum, share) => sum + share.threads, 0);
      expect(threads).toBeLessThanOrEqual(5);
    };
    await ran(await madeRun(), executor);
    expect(together).toBe(2);
    const experts = executor.asked.start.filter(({ stage }) => stage.spec.kind === "expert");
    expect(experts.map(({ share }) => share.threads)).toEqual([2, 2]);
  });

  it("lets a model wait that does not fit into the place's memory beside another", async () => {
    const executor = new Pretender({ memory: 1 });
    let most = 0;
    executor.onChange = () => {
      const training = [...executor.running.values()].filter(({ memory }) => memory > 0);
      most = Math.max(most, training.length);
    };
    expect((await ran(await madeRun(), executor)).status).toBe("done");
    expect(most).toBe(1);
    expect(executor.asked.start.some(({ share }) => share.memory > 1)).toBe(true);
  });

  it("gives a GPU to one model at a time, and the CPU to what runs none", async () => {
    const gpu = (index: number) => ({ engine: "onnx" as const, device: `cuda:${index}`, name: `GPU ${index}` });
    const executor = new Pretender({ devices: [gpu(0), gpu(1)] });
    const used = new Map<string, DeviceReference>();
    executor.onChange = () => {
      const devices = [...executor.running.values()]
        .map(({ device }) => device.device)
        .filter((name) => name !== "cpu");
      expect(new Set(devices).size).toBe(devices.length);
      for (const [name, { device }] of executor.running) used.set(name, device);
    };
    expect((await ran(await madeRun(), executor)).status).toBe("done");
    const places = ["data", "mix", "expert:words", "expert:sums"].map((name) => used.get(name)!.device);
    expect(places.slice(0, 2)).toEqual(["cpu", "cpu"]);
    expect(places.slice(2).sort()).toEqual(["cuda:0", "cuda:1"]);
  });

  it("fails with the first stage that fails, stops the others, and is taken up where it was", async () => {
    const run = await madeRun();
    const executor = new Pretender(
      {},
      { "expert:words": { status: "failed", error: "it broke" }, "expert:sums": "never" },
    );
    const { status, record, said } = await ran(run, executor);
    expect([status, record.status, record.error]).toEqual(["failed", "failed", 'stage "expert:words": it broke']);
    expect(executor.asked.stop).toContain("expert:sums");
    expect(said).toEqual(expect.arrayContaining(["expert:words failed", "expert:sums stopped"]));
    expect(executor.started).not.toContain("mix");

    const done = said.filter((text) => text.endsWith(" done")).map((text) => text.split(" ")[0]);
    const again = new Pretender();
    const resumed = await ran(run, again, { fresh: false });
    expect([resumed.status, resumed.record.error]).toEqual(["done", undefined]);
    expect(again.started.filter((name) => done.includes(name))).toEqual([]);
    expect([...again.started, ...done].sort()).toEqual(run.plan.map(({ name }) => name).sort());
  });

  it("fails when a stage cannot be started, with what the place said", async () => {
    const executor = new Pretender();
    executor.beforeStart = async ({ stage }) => {
      if (stage.name === "seed") throw new UserError("the partition is closed: choose another");
    };
    const { status, record, events } = await ran(await madeRun(), executor);
    expect([status, record.error]).toEqual(["failed", "the partition is closed: choose another"]);
    expect(events.at(-1)).toEqual({ event: "message", text: record.error });
  });
});

describe("a run that is asked to stop", () => {
  it("asks what is running to stop once, starts nothing more, and ends as stopped", async () => {
    const run = await madeRun();
    const stopping = new AbortController();
    const executor = new Pretender({}, { "expert:words": "never", "expert:sums": "never" });
    executor.onChange = () => {
      if (executor.running.has("expert:words") && executor.running.has("expert:sums")) stopping.abort();
    };
    const { status, record } = await ran(run, executor, { stop: stopping.signal });
    expect([status, record.status]).toEqual(["stopped", "stopped"]);
    expect(executor.asked.stop.filter((name) => name.startsWith("expert:")).sort()).toEqual([
      "expert:sums",
      "expert:words",
    ]);
    expect(executor.started).not.toContain("mix");
  });

  it("stops a stage that was being started meanwhile, and kills it when that is asked", async () => {
    for (const how of ["stop", "kill"] as const) {
      const [stopping, killing] = [new AbortController(), new AbortController()];
      const executor = new Pretender({}, { seed: "never" });
      executor.beforeStart = async ({ stage }) => {
        if (stage.name !== "seed") return;
        stopping.abort();
        if (how === "kill") killing.abort();
      };
      const { status } = await ran(await madeRun(), executor, { stop: stopping.signal, kill: killing.signal });
      expect(status).toBe("stopped");
      expect(executor.asked[how]).toEqual(["seed"]);
    }
  });

  it("does not start again what was stopped by somebody else", async () => {
    const executor = new Pretender({}, { seed: { status: "stopped" } });
    const { status, said } = await ran(await madeRun(), executor);
    expect(status).toBe("stopped");
    expect(said.filter((text) => text.startsWith("seed"))).toEqual(["seed running", "seed stopped"]);
  });

  it("takes back an old request to stop a stage before it starts it", async () => {
    const run = await madeRun();
    const { stop } = stagePaths(run.root, run.plan.find(({ name }) => name === "seed")!.key);
    await stopStage(stagePaths(run.root, run.plan.find(({ name }) => name === "seed")!.key));
    const executor = new Pretender();
    executor.beforeStart = async () => expect(stopRequested(stop) && executor.running.has("seed")).toBe(false);
    expect((await ran(run, executor)).status).toBe("done");
    expect(stopRequested(stop)).toBe(false);
  });
});

describe("a stage that somebody else works on", () => {
  it("is waited for, and its result is taken as another run's", async () => {
    const run = await madeRun();
    const seed = run.plan.find(({ name }) => name === "seed")!;
    const executor = new Pretender();
    executor.occupied.seed = ["busy", "busy"];
    executor.onOccupancy = async ({ name }) => {
      if (name === "seed") await leaveDone(run.root, seed);
    };
    const { status, record, events, said } = await ran(run, executor);
    expect([status, executor.started.includes("seed")]).toEqual(["done", false]);
    expect(record.reused).toContain("seed");
    expect(said).toContain("seed done");
    const text = 'another process is running stage "seed": waiting for it';
    expect(events).toContainEqual({ event: "message", text });
  });

  it("is done here when the other has left it unfinished, or has ended without it", async () => {
    const executor = new Pretender();
    executor.occupied.seed = ["busy", "busy"];
    executor.occupied.mix = ["ending", "ending"];
    const { status, events } = await ran(await madeRun(), executor);
    expect([status, executor.started.filter((name) => /^(seed|mix)$/.test(name))]).toEqual(["done", ["seed", "mix"]]);
    expect(events.filter((event) => event.event === "message")).toHaveLength(2);
  });

  it("is left to it when both began at once", async () => {
    const executor = new Pretender({}, { seed: { status: "busy" } });
    const { status, record } = await ran(await madeRun(), executor);
    expect([status, executor.started.filter((name) => name === "seed").length]).toEqual(["done", 1]);
    expect(record.reused).toContain("seed");
  });
});
