import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";
import { loadCheckpoint } from "../../../server/checkpoint/loadCheckpoint.ts";
import { saveCheckpoint } from "../../../server/checkpoint/saveCheckpoint.ts";
import { parameterShapes } from "../../../server/model/parameters.ts";
import { childScript } from "../runs/children.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { denseConfig, moeConfig } from "./files.ts";
import { constantModel } from "./models.ts";

const saveForever = childScript(new URL("saveForever.ts", import.meta.url));

it("finds a whole checkpoint after each of 20 kills at random moments of saving, with every save that was finished", async () => {
  const stage = temporaryFolder();
  const folder = join(stage, "checkpoint");
  await saveCheckpoint(folder, constantModel(denseConfig, 1));
  let last = 1;
  const leftBehind = new Set<string>();
  for (let kill = 0; kill < 20; kill++) {
    const child = spawn(process.execPath, [saveForever, folder], { stdio: ["ignore", "pipe", "inherit"] });
    const saves = createInterface(child.stdout)[Symbol.asyncIterator]();
    for (let saved = 0; saved <= kill % 3; saved++) await saves.next();
    await setTimeout((kill * 7) % 13);
    child.kill("SIGKILL");
    await once(child, "exit");
    const names = [stage, folder].flatMap((one) => (existsSync(one) ? readdirSync(one) : []));
    for (const name of names) if (/\.tmp-|\.old$/.test(name)) leftBehind.add(name.replace(/tmp-.*/, "tmp"));
    const { config, tensors } = await loadCheckpoint(folder, parameterShapes);
    const value = tensors.get("model.norm.weight")!.data[0]!;
    expect(value).toBeGreaterThan(last + (kill % 3));
    expect(config).toEqual(value % 3 === 0 ? moeConfig : denseConfig);
    for (const { data } of tensors.values()) expect(data.every((one) => one === value)).toBe(true);
    last = value;
  }
  // Kills did fall into the middle of saves.
  expect(leftBehind.size).toBeGreaterThan(0);
});
