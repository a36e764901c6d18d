import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../../server/disk/digest.ts";
import { stagePaths } from "../../../server/runs/layout.ts";
import { checkResult, digestsOfStage } from "../../../server/runs/stageFiles.ts";
import { writeStage } from "../../../server/runs/stages.ts";
import { temporaryFolder } from "./folder.ts";
import { mixSpec, planned, record } from "./records.ts";

const stage = planned("mix", "1", mixSpec);

const files = {
  "checkpoint/config.json": '{"a": 1}',
  "checkpoint/tokenizer.json": "{}",
  "checkpoint/chat_template.jinja": "{{ messages }}",
  "prose/answers.jsonl": "{}\n",
  "prose/train.tokens.digests": "12345678",
  "nll/prose.f32": "abcd",
  "metrics.jsonl": "{}\n{}\n",
  "routing.json": "{}",
};
/** With digests of their own, or not a part of the result. */
const others = {
  "checkpoint/model.safetensors": "x",
  "prose/train.tokens": "x",
  "working.json": "{}",
  "progress.json": "{}",
  "log.txt": "a log",
  "lock.3": "",
  "metrics.cache": "x",
};

async function finished() {
  const paths = stagePaths(temporaryFolder(), stage.key);
  for (const [name, text] of Object.entries({ ...files, ...others })) {
    mkdirSync(dirname(join(paths.folder, name)), { recursive: true });
    writeFileSync(join(paths.folder, name), text);
  }
  const digests = await digestsOfStage(paths.folder, {});
  await writeStage(paths, record(stage, { status: "done", files: digests }));
  return { paths, digests };
}

describe("digestsOfStage", () => {
  it("has the files of the result that have no digests of their own", async () => {
    const { digests } = await finished();
    expect(digests).toEqual(
      Object.fromEntries(
        Object.entries(files).map(([name, text]) => [
          name,
          { bytes: text.length, digest: digestOf(Buffer.from(text)) },
        ]),
      ),
    );
  });

  it("takes digests that were computed while files were written, and does not read those files", async () => {
    const { paths } = await finished();
    const metrics = { bytes: 7, digest: "0000000000000000" };
    expect((await digestsOfStage(paths.folder, { "metrics.jsonl": metrics }))["metrics.jsonl"]).toEqual(metrics);
  });
});

describe("checkResult", () => {
  it("notices that any file that other stages use was changed, cut or removed, and says how to make it again", async () => {
    const { paths } = await finished();
    await checkResult(paths.folder);
    for (const name of Object.keys(files).filter((one) => !/^(metrics|routing)/.test(one))) {
      const path = join(paths.folder, name);
      const good = readFileSync(path);
      const remedy = `: delete the folder ${paths.folder}, which stage "mix" made, then run \`btx resume\` to make it again`;
      writeFileSync(path, Buffer.concat([Buffer.from("?"), good.subarray(1)]));
      await expect(checkResult(paths.folder)).rejects.toThrow(
        `${path} is damaged (its content has changed since it was written)${remedy}`,
      );
      writeFileSync(path, good.subarray(1));
      await expect(checkResult(paths.folder)).rejects.toThrow(
        `${path} is damaged (it has ${good.length - 1} bytes, but ${good.length} were written)${remedy}`,
      );
      rmSync(path);
      await expect(checkResult(paths.folder)).rejects.toThrow(`${path} is damaged (it is missing)${remedy}`);
      writeFileSync(path, good);
    }
    await checkResult(paths.folder);
  });

  it("does not stop because of files that only people look at", async () => {
    const { paths } = await finished();
    writeFileSync(paths.metrics, "\0\0\0\0\0\0");
    rmSync(paths.routingIndex);
    await checkResult(paths.folder);
  });

  it("passes a stage of an older version, which has no digests", async () => {
    const { paths } = await finished();
    await writeStage(paths, record(stage, { status: "done" }));
    writeFileSync(join(paths.folder, "checkpoint/config.json"), "changed");
    await checkResult(paths.folder);
  });
});
