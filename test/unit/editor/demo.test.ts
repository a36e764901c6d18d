import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeDemo } from "../../../server/editor/demo.ts";
import { checkExperiment } from "../../../server/experiment/check.ts";
import { parseExperiment } from "../../../server/experiment/parse.ts";
import { emptyFolder } from "./folder.ts";

describe("the demo", () => {
  it("is an experiment without mistakes, with texts that say what they should", async () => {
    const file = await writeDemo(join(emptyFolder(), "demo"));
    const { experiment, problems } = parseExperiment(readFileSync(file, "utf8"), file);
    expect(problems).toEqual([]);
    expect(await checkExperiment(experiment!, file)).toEqual([]);
    const lines = (name: string) =>
      readFileSync(join(dirname(file), name), "utf8")
        .trim()
        .split("\n");
    for (const line of lines("sums.jsonl")) {
      const { question, answer } = JSON.parse(line);
      const [a, b] = question.split("+").map(Number);
      expect(answer).toBe(`= ${a + b}`);
    }
    for (const line of lines("sorting.txt")) {
      const [some, sorted] = line.split(" > ");
      expect([...some!].sort().join("")).toBe(sorted);
    }
    expect(new Set(lines("sentences.txt")).size).toBeGreaterThan(1000);
  });

  it("is the same each time, and is not written over anything", async () => {
    const [first, second] = [emptyFolder(), emptyFolder()];
    await writeDemo(first);
    await writeDemo(second);
    expect(readFileSync(join(first, "sorting.txt"), "utf8")).toBe(readFileSync(join(second, "sorting.txt"), "utf8"));
    const full = emptyFolder();
    writeFileSync(join(full, "mine.txt"), "");
    await expect(writeDemo(full)).rejects.toThrow(/is not empty/);
  });
});
