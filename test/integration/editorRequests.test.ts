import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listedRunSchema, type Request } from "../../server/protocol/editor.ts";
import { stagePaths } from "../../server/runs/layout.ts";
import { listRuns, type Run } from "../../server/runs/runs.ts";
import { type LanguageClient, startLanguageServer } from "./languageClient.ts";
import { copyOfFinished, scratch, tinyExperiment } from "./scratch.ts";

/** The backend, asked by an editor for more than a language server gives. */

let client: LanguageClient;
const ask = (name: Request, params: object) => client.connection.sendRequest<Record<string, unknown>>(name, params);
const trust = (trusted: boolean) => client.connection.sendNotification("btx/trustChanged", { trusted });
beforeAll(async () => {
  client = await startLanguageServer(undefined, [scratch]);
});
afterAll(() => client.stop());

async function newest(root: string): Promise<Run> {
  const entry = (await listRuns(root)).at(-1)!;
  if ("problem" in entry) throw new Error(entry.problem);
  return entry.run;
}

describe("in a workspace that is not trusted", () => {
  it("nothing is started, sampled, compared or removed", async () => {
    await trust(false);
    const { root, file } = copyOfFinished();
    const { record } = await newest(root);
    const run = { root, run: record.id };
    const keys = record.stages.map(({ key }) => key);
    const stage = { ...run, stage: "finetune" };
    const refused: [Request, object][] = [
      ["btx/startRun", { file }],
      ["btx/resumeRun", run],
      ["btx/rerun", { ...stage, keys }],
      ["btx/deleteRun", { ...run, keys }],
      ["btx/cleanStages", { root, keys }],
      ["btx/sample", { ...stage, id: "1", prompt: "a", tokens: 4, temperature: 0, randomSeed: 0 }],
      ["btx/compareRuns", { runs: [run] }],
    ];
    for (const [name, params] of refused)
      await expect(ask(name, params), name).rejects.toThrow(/trusted workspace only/);
    expect(await listRuns(root)).toHaveLength(1);
    for (const key of keys) expect(existsSync(stagePaths(root, key).record)).toBe(true);
    expect(existsSync(join(root, "compare"))).toBe(false);
  });

  it("runs can be looked at, and what removing would lose", async () => {
    const { root, file } = copyOfFinished();
    const { runs } = await ask("btx/watchRuns", { files: [file] });
    const [run] = listedRunSchema.array().parse(runs);
    const reference = { root, run: run!.run };
    const { stages } = await ask("btx/listStages", reference);
    expect(stages).toHaveLength((await newest(root)).record.stages.length);
    const lost = await ask("btx/rerunLoses", { ...reference, stage: "finetune" });
    expect((lost.stages as { name: string }[]).map(({ name }) => name)).toEqual(["finetune", "evaluate:finetune"]);
    expect((await ask("btx/deleteLoses", reference)).stages).toHaveLength((stages as unknown[]).length);
    expect((await ask("btx/unusedStages", { root })).stages).toEqual([]);
    expect((await ask("btx/stageNames", { file })).stages).toContainEqual({ name: "seed", does: expect.any(String) });
  });
});

describe("a request that makes no sense", () => {
  it("is answered with a sentence, and the backend lives", async () => {
    await trust(true);
    const { root } = tinyExperiment();
    const wrong: [Request, object, RegExp][] = [
      ["btx/listStages", { root: "relative", run: "a" }, /is not an absolute path/],
      ["btx/listStages", { root, run: "../.." }, /is not the name of a run or stage/],
      ["btx/listStages", { root, run: "20260101-000000" }, /there is no run/],
      ["btx/cleanStages", { root, keys: ["../../x"] }, /is not the key of a stage/],
      ["btx/deleteRun", { root, run: "none", keys: [] }, /there is no run none/],
      ["btx/rerunLoses", { root, run: "none", stage: "seed" }, /there is no run none/],
      ["btx/startRun", { file: join(root, "x.btx.yaml"), stage: "" }, /btx\/startRun/],
      ["btx/exportModel", { root, run: "none", stage: "seed", folder: "x" }, /is not an absolute path/],
    ];
    for (const [name, params, sentence] of wrong) await expect(ask(name, params), name).rejects.toThrow(sentence);
    expect(await ask("btx/devices", {})).toMatchObject({
      devices: expect.arrayContaining([expect.objectContaining({ engine: "onnx", device: "cpu", usable: true })]),
    });
  });
});

describe("the backend", () => {
  it("verifies a run, and answers with its problems", async () => {
    const { root } = copyOfFinished();
    const { record } = await newest(root);
    const reference = { root, run: record.id, id: "1" };
    const verified = await ask("btx/verifyRun", reference);
    expect(verified).toMatchObject({ run: record.id, problems: [], unchecked: [] });
    const { metrics } = stagePaths(root, record.stages.find(({ name }) => name === "seed")!.key);
    writeFileSync(metrics, "");
    const { problems } = await ask("btx/verifyRun", reference);
    expect(problems).toEqual([{ stage: "seed", message: expect.stringContaining(`${metrics} is damaged`) }]);
  });

  it("gives the log of a run in pieces that end with whole characters", async () => {
    const { root } = copyOfFinished();
    const { record, paths } = await newest(root);
    const log = join(paths.folder, "log.txt");
    const reference = { root, run: record.id };
    writeFileSync(log, Buffer.from("Run é").subarray(0, 5));
    const first = await ask("btx/runLog", { ...reference, offset: 0 });
    expect(first).toEqual({ text: "Run ", offset: 4, state: "done" });
    writeFileSync(log, "Run é\n");
    expect(await ask("btx/runLog", { ...reference, offset: 4 })).toMatchObject({ text: "é\n", offset: 7 });
  });

  it("removes of the stages of a run only those that no other run uses", async () => {
    await trust(true);
    const { root } = copyOfFinished();
    const { record } = await newest(root);
    const other = join(root, "runs", "20250101-000000");
    mkdirSync(other);
    const kept = record.stages.filter(({ name }) => name === "data" || name === "seed");
    writeFileSync(join(other, "run.json"), JSON.stringify({ ...record, id: "20250101-000000", stages: kept }));
    const reference = { root, run: record.id };
    const lost = (await ask("btx/deleteLoses", reference)).stages as { name: string; key: string }[];
    expect(lost.map(({ name }) => name)).not.toContain("seed");
    const keys = record.stages.map(({ key }) => key);
    const removed = await ask("btx/deleteRun", { ...reference, keys });
    expect(removed).toMatchObject({ stages: lost.length });
    for (const { key } of kept) expect(existsSync(stagePaths(root, key).record)).toBe(true);
    for (const { key } of lost) expect(existsSync(stagePaths(root, key).folder)).toBe(false);
  });
});
