import { describe, expect, test } from "vitest";
import type { Share } from "../../../server/execution/executor.ts";
import { type StageStanding, type Start, stagesToStart } from "../../../server/execution/schedule.ts";
import type { DeviceReference } from "../../../server/protocol/devices.ts";
import type { RouterConfig } from "../../../server/protocol/model.ts";
import type { Plan, PlannedStage, StageSpec } from "../../../server/protocol/stage.ts";
import { seeded } from "../../fixtures/random.ts";
import { training } from "../stages/support.ts";

const trained = (kind: "expert" | "finetune" | "dense" | "upcycling", tokens: number): StageSpec => ({
  kind,
  randomSeed: 1,
  phases: [{ tokens, mixture: { code: 1 }, training }],
});
const evaluation: StageSpec = { kind: "evaluate", domains: ["code"], tokens: 100, batch: 1, answers: 0 };
const mixed = (router: RouterConfig, split?: number): StageSpec => ({
  kind: "mix",
  experts: ["code", "prose", "seed"],
  router,
  ...(split ? { split } : {}),
  randomSeed: 1,
});
const topK = (k: number): RouterConfig => ({ type: "top-k", k, loadBalance: 0 });
const mixing = mixed(topK(2));

let keys = 0;
function stage(name: string, spec: StageSpec, ...parents: string[]): PlannedStage {
  const key = (keys++).toString(16).padStart(16, "0");
  return { name, key, spec, parents: Object.fromEntries(parents.map((parent) => [parent, parent])) };
}

/** What an experiment with three domains and all comparisons comes to. */
function planOf(experts: string[]): Plan {
  const names = experts.map((name) => `expert:${name}`);
  return [
    stage("data", { kind: "data", tokenizer: { type: "bytes" }, domains: {}, heldOut: 0.1 }),
    stage("seed", trained("dense", 1000), "data"),
    ...names.map((name) => stage(name, trained("expert", 500), "data", "seed")),
    stage("mix", mixing, "seed", ...names),
    stage("finetune", trained("finetune", 500), "data", "mix"),
    stage("average", { kind: "average", experts }, "seed", ...names),
    stage("dense", trained("dense", 2000), "data", "seed"),
    stage("upcycling:mix", mixing, "seed"),
    stage("upcycling", trained("upcycling", 2000), "data", "upcycling:mix"),
    ...["seed", ...names, "mix", "finetune", "average", "dense", "upcycling"].map((name) =>
      stage(`evaluate:${name}`, evaluation, "data", name),
    ),
    stage(
      "btm",
      { kind: "btm", experts, domains: ["code"], weights: "bayes", k: 1 },
      "data",
      ...names.map((name) => `evaluate:${name}`),
    ),
  ];
}

const plan = planOf(["code", "prose", "math"]);
const experts = ["expert:code", "expert:prose", "expert:math"];
const isExpert = ({ stage: { spec } }: Start) => spec.kind === "expert";
const standingOf = (done: string[], running: string[] = [], of = plan) =>
  new Map<string, StageStanding>(
    of.map(({ name }) => [name, done.includes(name) ? "done" : running.includes(name) ? "running" : "waiting"]),
  );
const started = (starts: Start[]) => starts.map(({ stage: { name }, threads }) => [name, threads]);
const cpu: DeviceReference = { engine: "onnx", device: "cpu" };
const cuda = (index: number): DeviceReference => ({ engine: "onnx", device: `cuda:${index}` });
/** Running stages with so many threads each, on the processor. */
const shares = (threads: Record<string, number> = {}) =>
  new Map<string, Share>(
    Object.entries(threads).map(([name, count]) => [name, { threads: count, device: cpu, memory: 0 }]),
  );
const none = shares();
/** So many cores and no other device. */
const roomy = { memory: Number.POSITIVE_INFINITY, needed: () => 1 };
const only = (cores: number) => ({ ...roomy, cores, devices: [cpu] });

describe("stagesToStart", () => {
  describe("where memory is short", () => {
    /** Room for so many experts; the largest is `math`. */
    const room = (memory: number) => ({
      ...only(4),
      memory,
      needed: ({ name }: PlannedStage) => (name === "expert:math" ? 3 : 2),
    });
    const afterSeed = ["data", "seed"];

    test("starts the experts that fit, which share the cores", () => {
      expect(started(stagesToStart(plan, standingOf(afterSeed), none, room(5)))).toEqual([
        ["expert:code", 2],
        ["expert:prose", 2],
      ]);
    });

    test("starts one that does not fit where nothing else runs", () => {
      expect(started(stagesToStart(plan, standingOf(afterSeed), none, room(1)))).toEqual([["expert:code", 4]]);
    });

    test("starts the next when one has ended", () => {
      const running = new Map([["expert:prose", { threads: 2, device: cpu, memory: 2 }]]);
      const standing = standingOf([...afterSeed, "expert:code"], ["expert:prose"]);
      expect(stagesToStart(plan, standing, running, room(4)).filter(isExpert)).toEqual([]);
      expect(started(stagesToStart(plan, standing, running, room(5)))[0]).toEqual(["expert:math", 4]);
    });
  });

  test("starts nothing before its parents are done, and nothing twice", () => {
    expect(started(stagesToStart(plan, standingOf([]), none, only(4)))).toEqual([["data", 4]]);
    expect(started(stagesToStart(plan, standingOf([], ["data"]), shares({ data: 4 }), only(4)))).toEqual([]);
    expect(started(stagesToStart(plan, standingOf(["data"], ["seed"]), shares({ seed: 4 }), only(4)))).toEqual([]);
    expect(stagesToStart(plan, standingOf(plan.map(({ name }) => name)), none, only(4))).toEqual([]);
  });

  test.each([
    [2, 1],
    [3, 1],
    [8, 2],
    [9, 3],
  ])("starts all experts at once, before anything else, %i cores shared among three of them", (cores, threads) => {
    expect(started(stagesToStart(plan, standingOf(["data", "seed"]), none, only(cores)))).toEqual([
      ["expert:code", threads],
      ["expert:prose", threads],
      ["expert:math", threads],
    ]);
  });

  test("gives a single expert all cores", () => {
    const single = planOf(["code"]);
    const starts = stagesToStart(single, standingOf(["data", "seed"], [], single), none, only(6));
    expect(started(starts)).toEqual([["expert:code", 6]]);
  });

  test("starts the mix and the finetuning before the comparisons", () => {
    expect(started(stagesToStart(plan, standingOf(["data", "seed", ...experts]), none, only(1)))).toEqual([["mix", 1]]);
    expect(started(stagesToStart(plan, standingOf(["data", "seed", ...experts, "mix"]), none, only(1)))).toEqual([
      ["finetune", 1],
    ]);
  });

  test("starts long trainings before short work", () => {
    const done = ["data", "seed", ...experts, "mix", "finetune", "average", "upcycling:mix"];
    const names = stagesToStart(plan, standingOf(done), none, only(3)).map(({ stage: { name } }) => name);
    expect(names).toEqual(["upcycling", "dense", "evaluate:seed"]);
  });

  test("starts short work that a long training waits for before work that nothing waits for", () => {
    const names = stagesToStart(plan, standingOf(["data", "seed", ...experts]), none, only(3)).map(
      ({ stage: { name } }) => name,
    );
    expect(names).toEqual(["mix", "upcycling:mix", "dense"]);
  });

  test("shares free cores out among what is ready, and leaves none idle", () => {
    const done = plan.map(({ name }) => name).filter((name) => !["dense", "upcycling"].includes(name));
    expect(started(stagesToStart(plan, standingOf(done), none, only(5)))).toEqual([
      ["upcycling", 2],
      ["dense", 3],
    ]);
    const one = standingOf(done, ["dense"]);
    expect(started(stagesToStart(plan, one, shares({ dense: 3 }), only(5)))).toEqual([["upcycling", 2]]);
  });
});

describe("of two trainings, stagesToStart starts the one of more work", () => {
  const rate = { temperatureRate: 4, minTemperature: 0.5, loadBalance: 0 };
  /** Whether 1,000 tokens of a mixture come before so many of a dense model. */
  function first(mix: StageSpec, denseTokens: number): boolean {
    const both = [
      stage("dense", trained("dense", denseTokens)),
      stage("mix of copies", mix),
      stage("upcycling", trained("upcycling", 1000), "mix of copies"),
    ];
    const [start] = stagesToStart(both, standingOf(["mix of copies"], [], both), none, only(1));
    return start!.stage.name === "upcycling";
  }

  test.each<[string, StageSpec, number]>([
    ["top-1", mixed(topK(1)), 1],
    ["top-2", mixed(topK(2)), 2],
    ["top-4 of experts split in two", mixed(topK(4), 2), 2],
    ["Switch", mixed({ type: "switch", capacity: 1.5, loadBalance: 0 }), 1],
    ["soft routing to three experts", mixed({ type: "soft", loadBalance: 0 }), 3],
    ["sampled top-1", mixed({ type: "sample-top-1", ...rate }), 1],
  ])("%s", (_, mix, blocks) => {
    expect([first(mix, blocks * 1000 - 1), first(mix, blocks * 1000 + 1)]).toEqual([true, false]);
  });
});

describe("on graphics cards", () => {
  const placed = (starts: Start[]) => starts.map(({ stage: { name }, device }) => [name, device.device]);
  const two = { ...roomy, cores: 4, devices: [cuda(0), cuda(1)] };
  const afterSeed = ["data", "seed"];

  test("text is read on the processor, and the seed trains on the first card", () => {
    expect(placed(stagesToStart(plan, standingOf([]), none, two))).toEqual([["data", "cpu"]]);
    expect(placed(stagesToStart(plan, standingOf(["data"]), none, two))).toEqual([["seed", "cuda:0"]]);
  });

  test("experts are spread over them, one a card, and the rest wait", () => {
    const starts = stagesToStart(plan, standingOf(afterSeed), none, two);
    expect(placed(starts)).toEqual([
      ["expert:code", "cuda:0"],
      ["expert:prose", "cuda:1"],
      ["upcycling:mix", "cpu"],
    ]);
    const running = new Map<string, Share>(starts.map(({ stage: { name }, ...share }) => [name, share]));
    const names = starts.map(({ stage: { name } }) => name);
    expect(stagesToStart(plan, standingOf(afterSeed, names), running, two)).toEqual([]);
    running.delete("expert:code");
    const next = stagesToStart(plan, standingOf([...afterSeed, "expert:code"], names.slice(1)), running, two);
    expect(placed(next)).toEqual([["expert:math", "cuda:0"]]);
  });

  test("a card takes one model at a time, whether it trains or is evaluated", () => {
    const done = plan.map(({ name }) => name).filter((name) => !name.startsWith("evaluate:") && name !== "btm");
    const one = { ...roomy, cores: 8, devices: [cuda(3)] };
    expect(placed(stagesToStart(plan, standingOf(done), none, one))).toEqual([["evaluate:seed", "cuda:3"]]);
  });

  test("each process on a card has a thread, even where there are more cards than cores", () => {
    const many = { ...roomy, cores: 1, devices: [cuda(0), cuda(1), cuda(2)] };
    const starts = stagesToStart(plan, standingOf(afterSeed), none, many).filter(isExpert);
    expect(starts.map(({ threads, device }) => [threads, device.device])).toEqual([
      [1, "cuda:0"],
      [1, "cuda:1"],
      [1, "cuda:2"],
    ]);
  });

  test("the processor takes what finds no card, if it is one of the devices", () => {
    const starts = stagesToStart(plan, standingOf(afterSeed), none, { ...roomy, cores: 4, devices: [cuda(0), cpu] });
    expect(placed(starts)).toEqual([
      ["expert:code", "cuda:0"],
      ["expert:prose", "cpu"],
      ["expert:math", "cpu"],
    ]);
  });

  test("a seed that is loaded needs no card", () => {
    const from = { path: "/x", sha256: "0" };
    const { kind: _, ...rest } = trained("dense", 1) as Extract<StageSpec, { kind: "dense" }>;
    const shape = { context: 8, layers: 1, hidden: 8, heads: 1, kvHeads: 1, headSize: 8, ffn: 8 };
    const model = {
      ...shape,
      ropeTheta: 1e4,
      normEps: 1e-5,
      tiedEmbeddings: false,
      attentionBias: false,
      ffnBias: false,
    };
    const loaded = [stage("seed", { kind: "seed", model, from, ...rest })];
    expect(placed(stagesToStart(loaded, standingOf([], [], loaded), none, two))).toEqual([["seed", "cpu"]]);
  });

  test("a plan of any shape comes to its end on any number of cards", () => {
    const random = seeded(9);
    for (let round = 0; round < 50; round++) {
      const of = randomPlan(random);
      const devices = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, index) => cuda(index));
      const standing = standingOf([], [], of);
      const running = new Map<string, Share>();
      for (let ended = 0; ended < of.length; ended++) {
        for (const { stage: started, ...share } of stagesToStart(of, standing, running, {
          ...roomy,
          cores: 2,
          devices,
        })) {
          standing.set(started.name, "running");
          running.set(started.name, share);
        }
        const cards = [...running.values()].map(({ device }) => device.device).filter((name) => name !== "cpu");
        expect(new Set(cards).size).toBe(cards.length);
        expect(running.size).toBeGreaterThan(0);
        const over = [...running.keys()][Math.floor(random() * running.size)]!;
        running.delete(over);
        standing.set(over, "done");
      }
    }
  });
});

/** A plan of random stages, each with random parents among those before it. */
function randomPlan(random: () => number): Plan {
  const specs = [evaluation, mixing, trained("dense", 100), trained("expert", 100), trained("upcycling", 300)];
  const names: string[] = [];
  return Array.from({ length: 1 + Math.floor(random() * 14) }, (_, i) => {
    const parents = names.filter(() => random() < 0.25);
    const name = `stage ${i}`;
    names.push(name);
    return stage(name, specs[Math.floor(random() * specs.length)]!, ...parents);
  });
}

/** Runs a plan in a model of time: now and then a random running stage ends. */
function simulate(plan: Plan, cores: number, random: () => number): string[] {
  const standing = standingOf([], [], plan);
  const running = new Map<string, Share>();
  const ended: string[] = [];
  while (ended.length < plan.length) {
    const free = cores - [...running.values()].reduce((sum, { threads }) => sum + threads, 0);
    const starts = stagesToStart(plan, standing, running, only(cores));
    for (const {
      stage: { name, parents },
      threads,
      device,
    } of starts) {
      expect(standing.get(name)).toBe("waiting");
      expect(Object.values(parents).every((parent) => standing.get(parent) === "done")).toBe(true);
      expect(Number.isInteger(threads) && threads >= 1 && threads <= cores).toBe(true);
      standing.set(name, "running");
      expect(device).toEqual(cpu);
      running.set(name, { threads, device, memory: 0 });
    }
    const asked = starts.reduce((sum, { threads }) => sum + threads, 0);
    if (starts.some(isExpert)) {
      expect(starts.every(isExpert)).toBe(true);
      // Together they take the machine once, or a core each.
      expect(asked).toBeLessThanOrEqual(Math.max(cores, starts.length));
    } else expect(asked).toBeLessThanOrEqual(Math.max(0, free));
    // Nothing runs and nothing is started: the plan would never end.
    expect(running.size).toBeGreaterThan(0);
    const names = [...running.keys()];
    const over = names[Math.floor(random() * names.length)]!;
    running.delete(over);
    standing.set(over, "done");
    ended.push(over);
  }
  return ended;
}

test("every plan comes to its end, on any number of cores, with every stage run once", () => {
  const random = seeded(11);
  for (let i = 0; i < 200; i++) {
    const any = i % 4 === 0 ? plan : randomPlan(random);
    const ended = simulate(any, 1 + Math.floor(random() * 9), random);
    expect([...ended].sort()).toEqual(any.map(({ name }) => name).sort());
  }
});
