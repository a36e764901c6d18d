import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { limitReach } from "../../../../server/disk/reach.ts";
import { ReaderClient } from "../../../../server/stream/reader/client.ts";
import type { Source } from "../../../../server/stream/reader/requests.ts";
import { temporaryFolder } from "../../runs/folder.ts";
import { readerProgram } from "../support.ts";

test("the thread that reads metrics reads nothing outside the workspace until that is trusted", async () => {
  const folder = temporaryFolder();
  const workspace = join(folder, "workspace");
  mkdirSync(workspace);
  writeFileSync(join(folder, "elsewhere.jsonl"), `${JSON.stringify({ step: 1, loss: 2 })}\n`);
  symlinkSync(join(folder, "elsewhere.jsonl"), join(workspace, "metrics.jsonl"));
  const begins = { step: 0, tokens: 0, seconds: 0, flops: 0 };
  const source: Source = { root: workspace, key: "a", path: join(workspace, "metrics.jsonl"), begins };
  const reader = new ReaderClient(readerProgram);
  onTestFinished(() => reader.close());
  onTestFinished(() => limitReach(() => undefined));
  const read = () => reader.statistics({ sources: [source], axis: "step", measure: "loss" });
  limitReach(() => [workspace]);
  expect(await read()).toEqual([undefined]);
  limitReach(() => undefined);
  expect(await read()).toMatchObject([{ count: 1, mean: 2 }]);
});
