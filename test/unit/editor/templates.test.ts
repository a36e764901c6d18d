import { describe, expect, it } from "vitest";
import { domainsOf, templates } from "../../../extension/commands/templates.ts";
import { stageNames } from "../../../server/editor/runs.ts";
import { checkExperiment } from "../../../server/experiment/check.ts";
import { parseExperiment } from "../../../server/experiment/parse.ts";
import { planExperiment } from "../../../server/experiment/plan.ts";
import type { Plan } from "../../../server/protocol/stage.ts";
import { writeExperiment } from "../../fixtures/experiment.ts";
import { emptyFolder } from "./folder.ts";

describe("a new experiment", () => {
  it.each(templates)("from the template $label has no mistake but the texts that are not there", async (template) => {
    const files = template.files("new", domainsOf(["code/src", "some prose", "1 more's"]));
    expect(files.length).toBeGreaterThan(0);
    expect(new Set(files.map(({ name }) => name)).size).toBe(files.length);
    for (const { name, text } of files) {
      const { experiment, problems } = parseExperiment(text, `${name}.btx.yaml`);
      expect(problems).toEqual([]);
      expect([...experiment!.domains.keys()]).toEqual(["src", "some-prose", "more-s"]);
      const found = await checkExperiment(experiment!, `${emptyFolder()}/${name}.btx.yaml`);
      expect(found.filter(({ path }) => path[0] !== "domains")).toEqual([]);
    }
  });

  it("of the router ablation shares seed and experts among its files", async () => {
    const { folder } = writeExperiment(emptyFolder());
    const files = templates.find(({ label }) => label === "Router ablation")!.files("a", domainsOf(["words"]));
    const plans: Plan[] = [];
    for (const { name, text } of files) {
      const file = `${folder}/${name}.btx.yaml`;
      plans.push(await planExperiment(parseExperiment(text, file).experiment!, file));
    }
    const keysOf = (stage: string) => new Set(plans.map((plan) => plan.find(({ name }) => name === stage)!.key));
    expect(keysOf("expert:words").size).toBe(1);
    expect(keysOf("mix").size).toBe(files.length);
  });

  it("gives folders names of domains that are allowed and differ", () => {
    const names = (folders: string[]) => domainsOf(folders).map(({ name }) => name);
    expect(names(["a/text", "b/text", "seed", "mean", "日本", "9 lives"])).toEqual([
      "text",
      "text-2",
      "seed-2",
      "mean-2",
      "domain",
      "lives",
    ]);
  });
});

describe("the stages that an experiment can be run up to", () => {
  it("are those of its plan, and the sections that several come of", async () => {
    const { file } = writeExperiment(emptyFolder());
    const text = "domains: {words: {files: words}}\ncompare: [average, dense, btm]\n";
    const { experiment } = parseExperiment(text, file);
    const names = stageNames(experiment!).map(({ name }) => name);
    const planned = (await planExperiment(experiment!, file)).map(({ name }) => name);
    expect(names.filter((name) => !planned.includes(name))).toEqual(["experts", "compare"]);
    expect(names).toContain("expert:words");
    expect(names).toContain("dense");
  });
});
