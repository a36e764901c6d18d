import { beforeAll, describe, expect, it } from "vitest";
import { experimentFolder } from "../fixtures/experiment.ts";
import { killedIn, type Outcome, type Reference, referenceOf, tryChange } from "./mutations.ts";
import { finishedExperiment, scratchFolder } from "./scratch.ts";

/** A sample of what `npm run bench -- damage` tries: random changes to files of run folders. */

const wrong = ({ outcome }: Outcome): boolean => outcome !== "noticed" && outcome !== "harmless";

describe("a random change to a file", () => {
  let reference: Reference;
  beforeAll(async () => {
    reference = await referenceOf(finishedExperiment());
  });

  it("of a finished run is noticed, or changes no result", async () => {
    const found: Outcome[] = [];
    for (let seed = 0; seed < 16; seed++)
      found.push(await tryChange(reference, { root: reference.experiment.root, seed: 5000 + seed }));
    expect(found.filter(wrong)).toEqual([]);
    expect(found.filter(({ outcome }) => outcome === "noticed").length).toBeGreaterThan(4);
  });

  it.each([
    "data",
    "finetune",
    "evaluate:finetune",
  ])("of a run killed in %s is noticed, or changes no result", async (name) => {
    const folder = scratchFolder();
    const stage = await killedIn(reference, name, folder);
    const found: Outcome[] = [];
    for (let seed = 0; seed < 3; seed++)
      found.push(await tryChange(reference, { root: experimentFolder(folder).root, stage, seed: 7000 + seed }));
    expect(found.filter(wrong)).toEqual([]);
  });
});
