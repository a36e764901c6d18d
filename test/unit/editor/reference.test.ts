import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { commandNotes, editorReference, type Manifest, paletteCommands } from "../../../docs/editorReference.ts";
import { writeDemo } from "../../../server/editor/demo.ts";
import { temporaryFolder } from "../runs/folder.ts";

const project = new URL("../../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, project), "utf8");
const manifest = JSON.parse(read("package.json"));
const { contributes } = manifest;
const ids = new Set<string>(contributes.commands.map(({ command }: { command: string }) => command));

describe("the reference of the editor", () => {
  it("on disk is what the manifest gives (write it with: node docs/generate.ts)", () => {
    expect(read("docs/editor.md")).toBe(editorReference(manifest as Manifest));
  });

  it("says of every command of the palette what it does", () => {
    const without = paletteCommands(manifest as Manifest).filter(({ command }) => !commandNotes[command]);
    expect(without).toEqual([]);
  });
});

describe("the manifest", () => {
  it("has in its menus commands that it declares", () => {
    const entries = Object.values<{ command?: string }[]>(contributes.menus).flat();
    expect(entries.filter(({ command }) => command?.startsWith("btx.") && !ids.has(command))).toEqual([]);
  });

  it("lets start and remove nothing where the workspace is not trusted", () => {
    const acting = [
      "run",
      "runStage",
      "stop",
      "resume",
      "rerun",
      "compare",
      "compareWith",
      "sample",
      "deleteRun",
      "installEngine",
    ];
    for (const name of [...acting, "cleanStages"]) {
      const command = contributes.commands.find((one: { command: string }) => one.command === `btx.${name}`);
      expect(command.enablement, name).toMatch(/^isWorkspaceTrusted\b/);
    }
  });

  it("has an icon for each command of a row, and a category for all", () => {
    const inline = contributes.menus["view/item/context"].filter(({ group }: { group: string }) =>
      group.startsWith("inline"),
    );
    for (const { command } of inline) {
      const declared = contributes.commands.find((one: { command: string }) => one.command === command);
      expect(declared.icon, command).toMatch(/^\$\([a-z-]+\)$/);
    }
    for (const { category } of contributes.commands) expect(category).toBe("BTX Studio");
  });

  it("has a walkthrough whose pictures are there and whose links lead to commands", () => {
    const media = new Set(readdirSync(new URL("media/walkthrough", project)));
    for (const { steps } of contributes.walkthroughs) {
      for (const { description, media: medium } of steps) {
        const path: string = medium.markdown ?? medium.svg;
        expect(existsSync(new URL(path, project)), path).toBe(true);
        media.delete(path.split("/").at(-1)!);
        if (medium.svg) expect(medium.altText).toMatch(/\w+/);
        for (const [, command] of description.matchAll(/\(command:([\w.]+)\)/g))
          expect(ids.has(command!) || command === "btx.experiments.focus", command).toBe(true);
      }
    }
    expect([...media]).toEqual([]);
  });

  it("has a walkthrough in the colours that it declares, about the demo that it creates", async () => {
    const declared = new Set<string>(contributes.colors.map(({ id }: { id: string }) => id.replace(".", "-")));
    for (const name of readdirSync(new URL("media/walkthrough", project)))
      for (const [, color] of read(`media/walkthrough/${name}`).matchAll(/var\(--vscode-(btx-[\w-]+)/g))
        expect(declared.has(color!), `${color} in ${name}`).toBe(true);
    const folder = temporaryFolder();
    const { domains } = parse(readFileSync(await writeDemo(`${folder}/demo`), "utf8")) as { domains: object };
    const routing = read("media/walkthrough/routing.md");
    const named = [...routing.matchAll(/expert `(\w+)`/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(Object.keys(domains)).toContain(name);
  });

  it("tells what to do in a view that is empty, whatever the reason", () => {
    const whens = contributes.viewsWelcome.map(({ when }: { when: string }) => when);
    expect(whens).toEqual([
      "workspaceFolderCount == 0",
      "workspaceFolderCount != 0 && isWorkspaceTrusted",
      "workspaceFolderCount != 0 && !isWorkspaceTrusted",
    ]);
    // Views know links and nothing else of Markdown.
    for (const { contents } of contributes.viewsWelcome) expect(contents).not.toMatch(/[`*_]{2}|`/);
  });
});
