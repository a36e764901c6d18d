import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openSafetensors } from "../../server/checkpoint/safetensors.ts";
import { verifyEventSchema } from "../../server/protocol/verify.ts";
import { runPaths, stagePaths } from "../../server/runs/layout.ts";
import type { ExperimentFolder } from "../fixtures/experiment.ts";
import { btx, said, startBtx, until } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord } from "./results.ts";
import { copyOfFinished, finishedExperiment } from "./scratch.ts";

/** Flips a bit in the middle of a file. */
function flip(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 2;
  writeFileSync(path, bytes);
}

const folderOf = ({ root }: ExperimentFolder, name: string): string =>
  stagePaths(root, readRunRecord(root, newestRun(root)).stages.find((stage) => stage.name === name)!.key).folder;

const verify = ({ folder }: ExperimentFolder, ...more: string[]) => btx(["verify", "--in", folder, ...more]);

/** Replaces the weights of a model by `value`, as a program would that knows no digests. */
async function fillWeights(folder: string, value: number): Promise<void> {
  const path = join(folder, "checkpoint/model.safetensors");
  const file = await openSafetensors(path);
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const name of file.names) {
    const { dtype, shape } = file.tensor(name);
    const begin = end;
    end += 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  await file.close();
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const values = new Float32Array(end / 4).fill(value);
  writeFileSync(path, Buffer.concat([length, json, new Uint8Array(values.buffer)]));
}

describe("a model of NaN or zeros", () => {
  it.each([
    [Number.NaN, "contains NaN or infinity in tensor"],
    [0, 'contains only zeros in tensor "model.embed_tokens.weight"'],
  ])("of %d is neither sampled nor verified without a sentence", async (value, sentence) => {
    const experiment = copyOfFinished();
    const seed = folderOf(experiment, "seed");
    await fillWeights(seed, value);
    const sampled = await btx(["sample", "--in", experiment.folder, "--model", "seed", "--prompt", "the"]);
    expect(sampled.code, said(sampled)).toBe(1);
    expect(sampled.stdout).toBe("");
    expect(sampled.stderr).toContain(`the checkpoint ${join(seed, "checkpoint")} ${sentence}`);
    const verified = await verify(experiment);
    expect(verified.code, said(verified)).toBe(1);
    expect(verified.stdout).toContain(sentence);
  });
});

describe("btx verify", () => {
  it("finds no problem in a finished run, and says how much it has read", async () => {
    const experiment = finishedExperiment();
    const ended = await verify(experiment);
    expect(ended.code, said(ended)).toBe(0);
    expect(ended.stdout).toMatch(/^run [\d-]+: 1\d\d files, \d+ kB: no problem\n$/);
    const json = await verify(experiment, "--json");
    expect(json.code).toBe(0);
    const result = verifyEventSchema.parse(JSON.parse(json.stdout.trim().split("\n").at(-1)!));
    expect(result).toMatchObject({ event: "result", run: newestRun(experiment.root), problems: [], unchecked: [] });
  });

  it.each([
    ["data", "words/train.tokens"],
    ["data", "sums/heldout.tokens"],
    ["data", "words/train.tokens.digests"],
    ["data", "sums/answers.jsonl"],
    ["data", "tokenizer.json"],
    ["data", "index.json"],
    ["seed", "stage.json"],
    ["seed", "metrics.jsonl"],
    ["seed", "checkpoint/model.safetensors"],
    ["finetune", "checkpoint/config.json"],
    ["finetune", "routing.f32"],
    ["finetune", "routing.json"],
    ["evaluate:expert:words", "nll/words.f32"],
  ])("names a flipped bit of stage %s in %s, and how to make it again", async (stage, file) => {
    const experiment = copyOfFinished();
    const folder = folderOf(experiment, stage);
    flip(join(folder, file));
    const ended = await verify(experiment);
    expect(ended.code, said(ended)).toBe(1);
    const [problem, ...others] = ended.stdout.trim().split("\n");
    expect(problem).toContain(`${join(folder, file)} is damaged (`);
    const again = `btx resume ${newestRun(experiment.root)}`;
    expect(problem).toMatch(
      new RegExp(`: delete the folder ${folder}, which stage "${stage}" made, then run \`${again}`),
    );
    expect(others.at(-1)).toContain(`: ${others.length} problem`);
  });

  it("finds what a person then makes again as it says", async () => {
    const experiment = copyOfFinished();
    const folder = folderOf(experiment, "seed");
    const good = readFileSync(join(folder, "checkpoint/model.safetensors"));
    flip(join(folder, "checkpoint/model.safetensors"));
    expect((await verify(experiment)).code).toBe(1);
    rmSync(folder, { recursive: true });
    expect((await verify(experiment)).stdout).toContain('not checked: stage "seed" has no folder: it was removed\n');
    const resumed = await btx(["resume", "--in", experiment.folder]);
    expect(resumed.code, said(resumed)).toBe(0);
    expect(readFileSync(join(folder, "checkpoint/model.safetensors")).equals(good)).toBe(true);
    expect((await verify(experiment)).code).toBe(0);
  });

  it("says what it cannot check of a run of an older version, which has no digests", async () => {
    const experiment = copyOfFinished();
    const { root } = experiment;
    for (const { name, key } of readRunRecord(root, newestRun(root)).stages) {
      if (name !== "seed") continue;
      const { record } = stagePaths(root, key);
      const { files: _, digest: __, ...older } = JSON.parse(readFileSync(record, "utf8"));
      writeFileSync(record, JSON.stringify(older, null, 2));
    }
    const ended = await verify(experiment);
    expect(ended.code, said(ended)).toBe(0);
    expect(ended.stdout).toContain(
      'not checked: stage "seed" was finished by an older version, which kept no digests of its files\n',
    );
  });

  it("checks what a killed training has saved", async () => {
    const experiment = copyOfFinished();
    const { root, folder } = experiment;
    const seed = folderOf(experiment, "seed");
    rmSync(seed, { recursive: true });
    const { key } = readRunRecord(root, newestRun(root)).stages.find(({ name }) => name === "seed")!;
    const command = startBtx(["resume", "--in", folder], { env: { BTX_CHECKPOINT_SECONDS: "0" } });
    await until("the seed trains", () => readMetrics(root, key).length > 3);
    command.signalAll("SIGKILL");
    await command.ended;
    expect((await verify(experiment)).code).toBe(0);
    for (const name of ["state.safetensors", "metrics.jsonl"]) {
      const path = join(seed, name);
      const bytes = readFileSync(path);
      // In the first of the lines.
      bytes[20]! ^= 1;
      writeFileSync(path, bytes);
      const ended = await verify(experiment);
      expect(ended.code, said(ended)).toBe(1);
      expect(ended.stdout).toContain(`${path} is damaged`);
      bytes[20]! ^= 1;
      writeFileSync(path, bytes);
    }
  });

  it("names a damaged run.json", async () => {
    const experiment = copyOfFinished();
    const { record } = runPaths(experiment.root, newestRun(experiment.root));
    writeFileSync(record, readFileSync(record, "utf8").replace('"tiny"', '"tony"'));
    const ended = await verify(experiment);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(
      `btx: ${record} is damaged (its content has changed since it was written): run the experiment again with \`btx run\``,
    );
  });
});
