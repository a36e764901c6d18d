import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { stagePaths } from "../../server/runs/layout.ts";
import { type ExperimentFolder, experimentText } from "../fixtures/experiment.ts";
import { btx, said, stageEvent, startBtx } from "./btx.ts";
import { newestRun, readRunRecord, readStageRecord } from "./results.ts";
import { finishedExperiment, tinyExperiment } from "./scratch.ts";

/** The model and the tokenizer are the seed's own. */
const fromCheckpoint = { seed: "{from: checkpoint}", model: undefined, tokenizer: undefined, compare: undefined };

const finishedStage = (name: string) => {
  const { root } = finishedExperiment();
  const { key } = readRunRecord(root, newestRun(root)).stages.find((stage) => stage.name === name)!;
  return { key, root, checkpoint: stagePaths(root, key).checkpoint };
};

/** A safetensors file with this header, as text. */
function safetensors(header: string, data: Uint8Array): Buffer {
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

describe("a seed taken from a checkpoint that cannot be used", () => {
  let experiment: ExperimentFolder;
  let weights: string;
  let good: Buffer;
  let header: string;
  let data: Buffer;
  beforeAll(() => {
    experiment = tinyExperiment(fromCheckpoint);
    weights = join(experiment.folder, "checkpoint", "model.safetensors");
    good = readFileSync(join(finishedStage("seed").checkpoint, "model.safetensors"));
    const length = Number(good.readBigUInt64LE());
    // Without digests, as other tools write it.
    header = JSON.stringify({
      ...JSON.parse(good.subarray(8, 8 + length).toString()),
      __metadata__: { format: "pt" },
    });
    data = good.subarray(8 + length);
  });
  const fresh = (stage = "seed") => {
    const folder = join(experiment.folder, "checkpoint");
    rmSync(folder, { recursive: true, force: true });
    cpSync(finishedStage(stage).checkpoint, folder, { recursive: true });
  };

  const damaged: [string, () => Uint8Array, RegExp][] = [
    [
      "a truncated file",
      () => good.subarray(0, good.length - 100),
      /^WEIGHTS: .* the file is truncated, copy it again$/,
    ],
    [
      "a file that ends in its header",
      () => good.subarray(0, 100),
      /^WEIGHTS is truncated: its header has \d+ bytes, but the file has 100$/,
    ],
    [
      "a header far beyond the file",
      () => {
        const bytes = Buffer.from(good);
        bytes.writeBigUInt64LE(2n ** 62n);
        return bytes;
      },
      /^WEIGHTS is not a safetensors file: its header would have 4611686018427387904 bytes, but at most 100000000 are allowed$/,
    ],
    [
      "overlapping offsets",
      () => {
        const tensors = JSON.parse(header);
        const [first, second] = Object.keys(tensors).filter((name) => name !== "__metadata__");
        tensors[second!].data_offsets = tensors[first!].data_offsets;
        return safetensors(JSON.stringify(tensors), data);
      },
      /^WEIGHTS: tensor ".+" overlaps the one before it$/,
    ],
    [
      "a tensor called __proto__",
      () => {
        const tensor = `"__proto__":{"dtype":"F32","shape":[0],"data_offsets":[${data.length},${data.length}]}`;
        return safetensors(header.replace(/}$/, `,${tensor}}`), data);
      },
      /^the checkpoint FOLDER has tensor "__proto__", which its model does not have$/,
    ],
  ];
  /** What `btx run` says, which must be one mistake of the key `seed.from` before anything is run. */
  async function refused(): Promise<string> {
    const folder = join(experiment.root, "runs");
    const runs = () => (existsSync(folder) ? readdirSync(folder).length : 0);
    const before = runs();
    const checked = await btx(["check", experiment.file]);
    const ended = await btx(["run", experiment.file]);
    expect([checked.code, ended.code], said(ended)).toEqual([2, 2]);
    expect(runs()).toBe(before);
    const [problem, rest] = ended.stderr.split("\n");
    expect(rest).toBe("btx: tiny.btx.yaml has mistakes, see above: nothing was run");
    expect(checked.stdout.split("\n")[0], said(checked)).toBe(problem);
    const position = "tiny.btx.yaml:5:14: error: `seed.from`: ";
    expect(problem!.slice(0, position.length)).toBe(position);
    return problem!.slice(position.length);
  }

  it.each(damaged)("%s: the check and the run say in one sentence what is wrong", async (_, bytes, sentence) => {
    fresh();
    writeFileSync(weights, bytes());
    const told = (await refused()).replace(weights, "WEIGHTS").replace(join(weights, ".."), "FOLDER");
    expect(told).toMatch(sentence);
  });

  it.each([
    ["seed", (text: string) => text.replace('"llama"', '"bert"'), /^CONFIG describes a model of type "bert", which/],
    ["finetune", (text: string) => text, /^the model in FOLDER is a Mixture-of-Experts already/],
  ])("one of another architecture, from a %s, is refused before anything is run", async (stage, change, sentence) => {
    fresh(stage);
    const folder = join(experiment.folder, "checkpoint");
    const config = join(folder, "config.json");
    writeFileSync(config, change(readFileSync(config, "utf8")));
    expect((await refused()).replace(config, "CONFIG").replace(folder, "FOLDER")).toMatch(sentence);
  });
});

describe("a seed taken from a checkpoint that another run has written", () => {
  it("is that run's seed bit for bit, with the same held-out loss", async () => {
    const { root, key, checkpoint } = finishedStage("seed");
    const experiment = tinyExperiment();
    writeFileSync(experiment.file, experimentText({ ...fromCheckpoint, seed: `{from: ${checkpoint}}` }));
    const command = startBtx(["run", experiment.file, "--json"]);
    await command.line(stageEvent("evaluate:seed", "done"));
    command.signalAll("SIGINT");
    expect((await command.ended).code).toBe(3);
    const { stages } = readRunRecord(experiment.root, newestRun(experiment.root));
    const keyOf = (name: string) => stages.find((stage) => stage.name === name)!.key;
    const losses = (at: string, evaluation: string) => readStageRecord(at, evaluation)!.result!.losses;
    expect(losses(experiment.root, keyOf("evaluate:seed"))).toEqual(losses(root, finishedStage("evaluate:seed").key));
    expect(keyOf("seed")).not.toBe(key);
    const bytes = (path: string) => readFileSync(join(path, "model.safetensors"));
    expect(bytes(stagePaths(experiment.root, keyOf("seed")).checkpoint).equals(bytes(checkpoint))).toBe(true);
  });
});
