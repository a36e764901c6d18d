import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { MarkupContent } from "vscode-languageserver";
import { DomainFiles } from "../../../../server/language/facts/domainFiles.ts";
import { hover } from "../../../../server/language/features/hover.ts";
import { ask, cursor, folderWith, textIn } from "../support.ts";

const folder = folderWith({ "text/a.txt": "x".repeat(1500), "text/b.txt": "y".repeat(500) });
const file = join(folder, "a.btx.yaml");

/** What a hover at `|` is about, and what it says. */
async function hovered(marked: string): Promise<[about: string, text: string] | null> {
  const { snapshot, position } = cursor(marked, file);
  const found = await hover(snapshot, position, new DomainFiles(ask));
  return found && [textIn(snapshot, found.range!), (found.contents as MarkupContent).value];
}

describe("a hover", () => {
  it("over a key says what it does, with unit, default and the paper's value", async () => {
    const [about, text] = (await hovered("training: {bat|ch: 4}"))!;
    expect(about).toBe("batch");
    for (const part of ["optimizer step", "Unit: sequences", "Default: `16`", "BTX paper: 4M tokens"])
      expect(text).toContain(part);
  });

  it("over a value says what it means", async () => {
    expect(await hovered("mix: {router: {type: so|ft}}")).toEqual(["soft", expect.stringContaining("all experts")]);
    expect(await hovered("compare: [den|se]")).toEqual(["dense", expect.stringContaining("same tokens")]);
    expect(await hovered("finetune: {freeze: {all-but: [rou|ter]}}")).toEqual(["router", "`router`: the routers."]);
    expect(await hovered("finetune: {freeze: [expert:co|de]}")).toEqual([
      "expert:code",
      expect.stringContaining("one expert"),
    ]);
    expect(await hovered("seed: {tokens: 1.|5M}")).toEqual(["1.5M", "1,500,000 tokens"]);
    expect(await hovered("model: {layers: |4}")).toBeNull();
  });

  it.each([
    "domains: {te|xt: {files: text}}\n",
    "domains: {text: {files: text/*.txt}}\nmix: {experts: [te|xt]}\n",
  ])("over a domain counts its files: %j", async (marked) => {
    const [about, text] = (await hovered(marked))!;
    expect(about).toBe("text");
    expect(text).toContain("2 files, 2 kB");
  });

  it("over a domain says what is wrong with its files", async () => {
    expect((await hovered("domains: {a|: {files: nowhere/*.txt}}"))![1]).toContain('no file matches "nowhere/*.txt"');
    expect((await hovered("domains: {a|: {}}"))![1]).toContain("No `files` are given");
    expect((await hovered("mix: {experts: [a|]}"))![1]).toContain("does not define this domain");
  });

  it("over nothing says nothing", async () => {
    expect(await hovered("# com|ment\nmodel: {}")).toBeNull();
    expect(await hovered("unkn|own: 1")).toBeNull();
    expect(await hovered("|")).toBeNull();
  });
});
