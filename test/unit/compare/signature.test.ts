import { describe, expect, it } from "vitest";
import { signatures } from "../../../server/compare/signature.ts";
import { changing, type ResultsFixture, resultsFixture } from "../../fixtures/runs.ts";

const of = (options: ResultsFixture = {}) => signatures(resultsFixture(options).record.stages);
const changed = (options: ResultsFixture) => {
  const [before, after] = [of(), of(options)];
  return [...before.keys()].filter((name) => before.get(name) !== after.get(name));
};

describe("signatures", () => {
  it("are equal for runs that differ only in random seeds, though every key differs", () => {
    expect(changed({ randomSeed: 2 })).toEqual([]);
    const keys = (randomSeed: number) => resultsFixture({ randomSeed }).record.stages.map(({ key }) => key);
    const [one, two] = [keys(1), keys(2)];
    // The data has no random seed.
    expect(one.filter((key) => two.includes(key))).toEqual([one[0]]);
  });

  it("change for a stage of another spec and all that comes from it, and for nothing else", () => {
    const change = changing("mix", (spec) => ({ ...spec, split: 2 }));
    expect(changed({ change })).toEqual(["mix", "finetune", "evaluate:mix", "evaluate:finetune"]);
  });

  it("tell which parent fills which role", () => {
    const plan = resultsFixture().record.stages;
    const swapped = plan.map((stage) => {
      const { "expert:code": code, "expert:prose": prose, ...rest } = stage.parents;
      const parents = { ...rest, "expert:code": prose!, "expert:prose": code! };
      return stage.name === "mix" ? { ...stage, parents } : stage;
    });
    expect(signatures(swapped).get("mix")).not.toBe(signatures(plan).get("mix"));
    expect(signatures(swapped).get("average")).toBe(signatures(plan).get("average"));
  });

  it("do not depend on where files lie, but on what they hold", () => {
    const files = (edit: { files?: string[]; sha256?: string }) =>
      changing("data", (spec) => ({
        ...spec,
        domains: { ...spec.domains, code: { ...spec.domains.code!, ...edit } },
      }));
    expect(changed({ change: files({ files: ["/elsewhere/a.txt"] }) })).toEqual([]);
    expect(changed({ change: files({ sha256: "f".repeat(64) }) })).toContain("seed");
  });
});
