import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { copyFolder } from "../../../server/editor/exportFolder.ts";
import { emptyFolder } from "./folder.ts";

function checkpoint(): string {
  const folder = emptyFolder();
  writeFileSync(join(folder, "config.json"), "{}");
  writeFileSync(join(folder, "model.safetensors"), "weights");
  return folder;
}
const going = new AbortController().signal;

describe("an exported model", () => {
  it("is the whole checkpoint in a folder of its own", async () => {
    const to = join(emptyFolder(), "model");
    expect(await copyFolder(checkpoint(), to, going)).toBe(9);
    expect(readdirSync(to).sort()).toEqual(["config.json", "model.safetensors"]);
    expect(readFileSync(join(to, "model.safetensors"), "utf8")).toBe("weights");
  });

  it("replaces nothing", async () => {
    const to = join(emptyFolder(), "model");
    mkdirSync(to);
    await expect(copyFolder(checkpoint(), to, going)).rejects.toThrow(/exists/);
    await expect(copyFolder(join(to, "none"), join(to, "new"), going)).rejects.toThrow(/has not made a model/);
  });

  it("leaves nothing behind when it is cancelled", async () => {
    const parent = emptyFolder();
    await expect(copyFolder(checkpoint(), join(parent, "model"), AbortSignal.abort())).rejects.toThrow(/cancelled/);
    expect(readdirSync(parent)).toEqual([]);
  });
});
