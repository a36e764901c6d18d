import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Frame } from "../../../../server/protocol/frame.ts";
import { allDomains, heldOut } from "../../../../server/protocol/routing.ts";
import { placeNames } from "../../../../server/protocol/routingFiles.ts";
import type { PageMessage } from "../../../../server/protocol/stream.ts";
import { stagePaths } from "../../../../server/runs/layout.ts";
import {
  appendRouting,
  type KnownRouting,
  ownExpert,
  writeEvaluatedRouting,
  writeProbeDetail,
  writeProbes,
  writeRouting,
} from "../../../fixtures/routing.ts";
import { writeRun } from "../../../fixtures/runFolder.ts";
import { temporaryFolder } from "../../runs/folder.ts";
import { origin, Page, startHub } from "../support.ts";

const known: KnownRouting = {
  layers: [1, 3],
  domains: ["code", "prose", "math"],
  experts: ["code", "prose", "math", "seed"],
  every: 3,
  tokens: 100,
  share: ownExpert,
};
const [L, D, E] = [2, 3, 4];

type FrameOf<K extends Frame["kind"]> = Extract<Frame, { kind: K }>;

async function opened(change: Partial<KnownRouting> = {}, stage: "finetune" | "mix" = "finetune") {
  const written = writeRun(temporaryFolder(), { k: 1 });
  const { root, run, keyOf } = written;
  const key = keyOf(stage);
  const routing = { ...known, ...change };
  if (stage === "finetune") {
    writeRouting(root, key, routing, 6);
    writeEvaluatedRouting(root, keyOf("evaluate:finetune"), routing);
  }
  const { hub, logged } = await startHub();
  const page = new Page(hub.ticket(origin));
  await page.opened();
  page.send({ type: "open", id: 0, runs: [{ root, run }] });
  await page.next("opened");
  const model = { root, key };
  let ids = 10;
  const told = async () => {
    page.send({ type: "openRouting", id: ++ids, models: [model] });
    return (await page.next("routingOpened")).models[0]!;
  };
  /** The frame that answers a question. */
  const frame = <K extends Frame["kind"]>(kind: K, question: object): Promise<FrameOf<K>> => {
    const id = ++ids;
    page.send({ ...question, id, model } as unknown as PageMessage);
    return page.until(() =>
      page.frames.find((one): one is FrameOf<K> => one.kind === kind && "id" in one && one.id === id),
    );
  };
  return { ...written, page, model, told, frame, logged, routing };
}

/** A domain's map: 1 where the expert is its own. */
const own = (domain: number) =>
  Array.from({ length: L }, () => Array.from({ length: E }, (_, expert) => (expert === domain ? 1 : 0))).flat();

describe("routing over a stream", () => {
  it("tells what a model's routing is made of, and what was recorded", async () => {
    const { told, run } = await opened();
    expect(await told()).toMatchObject({
      run,
      name: "finetune",
      state: "done",
      router: "top-k",
      k: 1,
      layers: [1, 3],
      experts: [
        { name: "code", color: "one" },
        { name: "prose", color: "two" },
        { name: "math", color: "three" },
        { name: "seed", color: "seed" },
      ],
      domains: [
        { name: "code", color: "one" },
        { name: "prose", color: "two" },
        { name: "math", color: "three" },
      ],
      every: 3,
      snapshots: 6,
      steps: 20,
      cells: ["routedShare", "gateMass", "probability", "domainSpecialisation"],
      evaluated: true,
      pairsEvery: 3,
    });
  });

  it("tells what kind of block each place of a recording is, and recordings without kinds are of feed-forward blocks", async () => {
    const { told, root, keyOf } = await opened();
    expect(await told()).not.toHaveProperty("kinds");
    const { routingIndex } = stagePaths(root, keyOf("finetune"));
    const index = JSON.parse(readFileSync(routingIndex, "utf8"));
    writeFileSync(routingIndex, JSON.stringify({ ...index, layers: [3, 3], kinds: ["attention", "ffn"] }));
    const model = await told();
    expect(placeNames(model)).toEqual(["3 attention", "3"]);
  });

  it("tells of a model that was only mixed what its plan says, while nothing of its routing was recorded", async () => {
    const { told, run } = await opened({}, "mix");
    const model = await told();
    expect(model).toMatchObject({ run, name: "mix", state: "done", router: "top-k", snapshots: 0, evaluated: false });
    expect(model.experts.map(({ name }) => name)).toEqual(["code", "prose", "math", "seed"]);
    expect(model.layers.length).toBeGreaterThan(0);
    expect(model.domains.map(({ name }) => name)).toEqual(known.domains);
  });

  it("shows exactly a routing that is known: each domain's tokens at its own expert, in training and held out", async () => {
    const { told, frame } = await opened();
    await told();
    for (const snapshot of [0, 5, heldOut]) {
      const answer = await frame("routing", { type: "routing", snapshots: [snapshot], measure: "routedShare" });
      expect(answer).toMatchObject({
        snapshot,
        shape: [D + 1, L, E],
        uniform: 0.25,
        step: snapshot === 0 ? 3 : snapshot < 0 ? 20 : 18,
      });
      expect([...answer.values]).toEqual([
        ...[0, 1, 2].flatMap(own),
        ...Array.from({ length: L * E }, (_, at) => Math.fround(at % E < D ? 1 / D : 0)),
      ]);
    }
  });

  it("has a frame for each snapshot that is there, and leaves out those that are not", async () => {
    const { told, page, model } = await opened({
      share: (snapshot, _l, _d, expert) => (expert === 0 ? snapshot / 10 : 0),
    });
    await told();
    page.send({ type: "routing", id: 9, model, snapshots: [1, 70, 4], measure: "gateMass" });
    const frames = () => page.frames.filter((one) => one.kind === "routing").map(({ snapshot }) => snapshot);
    await page.until(() => frames().length === 2);
    page.send({ type: "routing", id: 10, model, snapshots: [2], measure: "gateMass" });
    await page.until(() => frames().length === 3);
    expect(frames()).toEqual([1, 4, 2]);
  });

  it("says entropy and balance of layers", async () => {
    const { told, page, model } = await opened();
    await told();
    page.send({ type: "routingLayers", id: 3, model, snapshot: 2 });
    const { rows } = await page.next("routingLayers");
    expect(rows).toHaveLength(D + 1);
    expect(rows[0]).toEqual({ entropy: [0.5, 0.5], imbalance: [4, 4], variation: [Math.sqrt(3), Math.sqrt(3)] });
    expect(rows[D]!.imbalance?.[0]).toBeCloseTo(4 / 3, 9);
  });

  it("says which expert follows which, and which go together", async () => {
    const { told, frame } = await opened();
    await told();
    const identity = Array.from({ length: E * E }, (_, at) => (Math.floor(at / E) === at % E ? 1 : 0));
    const follows = await frame("pairs", {
      type: "routingPairs",
      what: "transitions",
      snapshot: 5,
      domain: allDomains,
    });
    expect(follows).toMatchObject({ shape: [L - 1, E, E], step: 18 });
    expect([...follows.values]).toEqual(identity);
    const together = await frame("pairs", {
      type: "routingPairs",
      what: "coActivation",
      snapshot: 0,
      domain: allDomains,
    });
    expect(together).toMatchObject({ shape: [L, E, E], step: 3 });
    expect([...together.values]).toEqual([...identity, ...identity]);
  });

  it("says how much of its routing a model had at each probe, and that there are new ones", async () => {
    const { told, frame, root, model, routing } = await opened();
    expect((await told()).probes).toBeUndefined();
    writeProbes(root, model.key, routing, 3);
    expect((await told()).probes).toBe(3);
    const { steps, shape, values } = await frame("saturation", { type: "routingSaturation" });
    expect([steps, shape]).toEqual([
      [0, 3, 6],
      [3, L, D + 1],
    ]);
    const rows = L * (D + 1);
    expect([...values]).toEqual([...Array(2 * rows).fill(0), ...Array(rows).fill(1)]);
  });

  it("says what probes have measured of held-out text, by the steps before them, and leaves out a torn one", async () => {
    const { told, frame, root, model, routing } = await opened();
    expect((await told()).probed).toBeUndefined();
    writeProbeDetail(root, model.key, routing, 8);
    appendFileSync(stagePaths(root, model.key).routingProbeDetail, Buffer.alloc(50));
    const { probed, cells } = await told();
    expect(probed).toEqual({ probes: 8, every: 3 });
    expect(cells).toEqual(expect.arrayContaining(["vocabularyInput", "vocabularyPredicted"]));
    for (const [probe, step] of [
      [0, 0],
      [2, 6],
      // Of 20 steps.
      [7, 20],
    ] as const) {
      for (const [measure, value] of [
        ["vocabularyInput", probe / 10],
        ["vocabularyPredicted", probe / 20],
      ] as const) {
        const answer = await frame("routing", { type: "routing", snapshots: [probe], measure });
        expect(answer).toMatchObject({ snapshot: probe, step, shape: [D + 1, L, E], measure, uniform: 0.25 });
        const all = [...Array(D * L * E).fill(value), ...Array(L * E).fill(value / 10)];
        expect([...answer.values]).toEqual(all.map(Math.fround));
      }
      const ofDomain = (domain: number) => frame("histogram", { type: "routingHistogram", probe, layer: 1, domain });
      const one = await ofDomain(1);
      expect(one).toMatchObject({ probe, layer: 1, domain: 1, shape: [E, 10] });
      const bins = (share: (bin: number, expert: number) => number) =>
        Array.from({ length: E * 10 }, (_, at) => Math.fround(share(at % 10, Math.floor(at / 10))));
      expect([...one.values]).toEqual(bins((bin, expert) => (bin === (expert === 1 ? probe : 0) ? 1 : 0)));
      const third = (bin: number) => (bin === probe ? 1 / 3 : 0) + (bin === 0 ? 2 / 3 : 0);
      const all = [...(await ofDomain(allDomains)).values];
      const expected = bins((bin, expert) => (expert < D ? third(bin) : bin === 0 ? 1 : 0));
      for (const [at, value] of expected.entries()) expect(all[at]).toBeCloseTo(value, 6);
    }
  });

  it("gives a layer's load over training, as means where there are fewer columns than snapshots", async () => {
    const { told, frame } = await opened({
      share: (snapshot, _l, _d, expert) => (expert === 0 ? snapshot / 10 : expert === 1 ? 1 - snapshot / 10 : 0),
    });
    await told();
    const all = await frame("load", { type: "routingLoad", layer: 1, domain: 2, columns: 100 });
    expect(all).toMatchObject({ steps: [3, 6, 9, 12, 15, 18], shape: [6, E] });
    expect(all.values[4 * E]).toBeCloseTo(0.4, 6);
    const few = await frame("load", { type: "routingLoad", layer: 0, domain: allDomains, columns: 2 });
    expect(few).toMatchObject({ steps: [9, 18], shape: [2, E] });
    expect(few.values[0]).toBeCloseTo(0.1, 6);
    expect(few.values[E + 1]).toBeCloseTo(0.6, 6);
  });

  it("tells of snapshots that come while the page is open", async () => {
    const { told, page, root, model, routing } = await opened();
    await told();
    appendRouting(root, model.key, routing, 6);
    await page.until(() =>
      page.messages.some((message) => message.type === "routingOpened" && message.models[0]!.snapshots === 7),
    );
  });

  it("says of a broken file which it is, and shows it once it is mended", async () => {
    const { told, page, root, model, routing } = await opened();
    const { routingIndex } = stagePaths(root, model.key);
    writeFileSync(routingIndex, "{");
    expect((await told()).problem).toContain(routingIndex);
    writeRouting(root, model.key, routing, 2);
    await page.until(() =>
      page.messages.some((message) => message.type === "routingOpened" && message.models[0]!.snapshots === 2),
    );
  });

  it("answers with a sentence what was not recorded", async () => {
    const { told, page, model, logged } = await opened();
    await told();
    page.send({ type: "routingLayers", id: 1, model, snapshot: 99 });
    expect((await page.next("problem")).text).toBe("finetune has recorded no such snapshot of its routing");
    page.send({
      type: "routing",
      id: 1,
      model: { ...model, key: "0".repeat(16) },
      snapshots: [0],
      measure: "gateMass",
    });
    expect((await page.next("problem")).text).toBe("That model is not open.");
    page.send({ type: "routingPairs", id: 1, model, what: "transitions", snapshot: heldOut, domain: 0 });
    expect((await page.next("problem")).text).toBe("finetune has recorded no pairs of experts there");
    expect(logged).toEqual([]);
  });

  it("knows what an expert was made of, and who uses it", async () => {
    const { page, root, run, model, keyOf } = await opened();
    page.send({ type: "expertOrigin", id: 5, model, expert: "prose" });
    const { id, origin: made } = await page.next("expertOrigin");
    expect(id).toBe(5);
    expect(made).toMatchObject({
      made: "whole",
      sources: [
        { root, key: keyOf("expert:prose"), name: "expert:prose", color: "two", state: "done", mixture: { prose: 1 } },
      ],
    });
    expect(Object.keys(made.sources[0]!.losses!)).toEqual(["code", "prose", "math"]);
    expect(made.uses.map(({ run: name, stage }) => [name, stage.name])).toEqual([
      [run, "finetune"],
      [run, "mix"],
    ]);
    page.send({ type: "expertOrigin", id: 6, model, expert: "nobody" });
    expect((await page.next("problem")).text).toBe(`finetune of run ${run} has no expert "nobody"`);
  });
});
