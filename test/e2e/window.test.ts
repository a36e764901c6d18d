import { beforeAll, describe, expect, it } from "vitest";
import type { VsCode } from "../vscode/harness/vscode.ts";
import { quick } from "../vscode/workspace.ts";
import { missing, openWindow, startVsCode, why, workspace } from "./support.ts";

describe.skipIf(missing)(`a window${why}`, () => {
  let code: VsCode;
  beforeAll(async () => {
    code = await startVsCode();
  });

  it("shows experiments, the language and devices, without errors or network requests", async () => {
    const window = await openWindow(code, workspace(quick).folder);
    await window.openFile("tiny.btx.yaml");
    await window.openViews("BTX Studio");
    await window.rows("tiny.btx.yaml").waitFor();
    expect(await window.page.locator(".statusbar-item", { hasText: "BTX experiment" }).count()).toBe(1);
    await window.page.locator(".codelens-decoration", { hasText: "Run" }).first().waitFor();
    await window.page.locator(".pane-header", { hasText: "Devices" }).click();
    await window.rows(/cpu, \d+ % busy/).waitFor();
    await window.screenshot("window");
    expect(window.errors).toEqual([]);
    expect(window.outside).toEqual([]);
  });
});
