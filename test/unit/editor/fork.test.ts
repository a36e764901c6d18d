import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { forkText } from "../../../server/editor/experimentText.ts";
import { writeFork } from "../../../server/editor/models.ts";
import { parseExperiment } from "../../../server/experiment/parse.ts";
import { stageUses } from "../../../server/runs/stageUses.ts";
import { emptyFolder, keys, writeRun } from "./folder.ts";

const text = `# My experiment
name: first
model: {layers: 2, hidden: 16, heads: 2, context: 40} # small
tokenizer: {type: bpe, vocab: 300}
domains:
  a: {files: a.txt} # the first
seed: {tokens: 100, learningRate: 1e-2}
experts: {tokens: 50}
`;

describe("a fork of a run", () => {
  it("is its experiment with a model as the seed, and that model's sizes and tokenizer", () => {
    const fork = forkText(text, ".btx/stages/0123456789abcdef/checkpoint", "Forked.");
    const { experiment, problems } = parseExperiment(fork, "fork.btx.yaml");
    expect(problems).toEqual([]);
    expect(experiment).toMatchObject({
      name: "fork",
      seed: { from: ".btx/stages/0123456789abcdef/checkpoint" },
      givenModel: { context: 40 },
      experts: { tokens: 50 },
    });
    expect(experiment!.tokenizer).toBeUndefined();
    expect(fork).toBe(`# Forked.
# My experiment
model: {context: 40}
domains:
  a: {files: a.txt} # the first
seed: {from: ".btx/stages/0123456789abcdef/checkpoint"}
experts: {tokens: 50}
`);
  });

  it("keeps all other lines, of sections over several lines too", () => {
    const long = `domains:
  a:
    files: a.txt

# How the seed is made
seed:
  tokens: 100
  # slowly
  learningRate: 1e-2

# What follows
experts:
  tokens: 50
tokenizer:
  type: bytes`;
    expect(forkText(long, "seed", "Forked.")).toBe(`# Forked.
domains:
  a:
    files: a.txt

# How the seed is made
seed: {from: "seed"}

# What follows
experts:
  tokens: 50
`);
    expect(forkText("domains: {a: {files: a}}", "s", "F.")).toBe('# F.\ndomains: {a: {files: a}}\nseed: {from: "s"}\n');
  });

  it("is written beside the experiment file under a name that is free", async () => {
    const folder = emptyFolder();
    const root = join(folder, ".btx");
    const run = writeRun(root, { experiment: text, file: "/elsewhere/first.btx.yaml" });
    const expert = run.stages.find(({ name }) => name === "expert:code")!;
    const first = await writeFork(root, run, expert);
    const second = await writeFork(root, run, expert);
    expect([dirname(first), basename(first), basename(second)]).toEqual([
      folder,
      "first-fork.btx.yaml",
      "first-fork-2.btx.yaml",
    ]);
    expect(readFileSync(first, "utf8")).toContain(`from: ".btx/stages/${expert.key}/checkpoint"`);
  });

  it("makes its seed count as used", async () => {
    const root = join(emptyFolder(), ".btx");
    const run = writeRun(root, { experiment: text });
    await writeFork(root, run, run.stages.find(({ name }) => name === "seed")!);
    expect((await stageUses(root)).get(keys.get("seed")!)).toEqual([run.id, "three-domains-fork.btx.yaml"]);
  });

  it("of a mixture is refused, which cannot be a seed", async () => {
    const root = join(emptyFolder(), ".btx");
    const run = writeRun(root, { experiment: text });
    const mix = run.stages.find(({ name }) => name === "finetune")!;
    await expect(writeFork(root, run, mix)).rejects.toThrow(/Mixture-of-Experts/);
  });
});
