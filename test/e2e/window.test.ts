import { beforeAll, describe, expect, it } from "vitest";
import type { VsCode } from "../vscode/harness/vscode.ts";
import { quick } from "../vscode/workspace.ts";
import { missing, openWindow, startVsCode, until, why, workspace } from "./support.ts";

describe.skipIf(missing)(`a window${why}`, () => {
  let code: VsCode;
  beforeAll(async () => {
    code = await startVsCode();
  });

  it("shows the experiments, the language and the devices, without an error or a request to the network", async () => {
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

  it("activates the extension in less than 50 ms, as VS Code measures it", async () => {
    const window = await openWindow(code, workspace(quick).folder);
    const measured: number[] = [];
    // The best of some windows: other processes share the machine.
    for (let attempt = 0; attempt < 5 && !measured.some((ms) => ms < 50); attempt++) {
      if (attempt > 0) await window.reload();
      await window.palette("Developer: Show Running Extensions");
      const row = window.page.locator(".runtime-extensions-editor .monaco-list-row", { hasText: /btx.studio/i });
      const time = /Activation: (\d+)ms/;
      measured.push(
        await until("it is active", async () => {
          const found = (await row.count()) === 1 ? time.exec((await row.textContent()) ?? "") : null;
          return found ? Number(found[1]) + 1e-9 : undefined;
        }),
      );
    }
    console.log(`activation: ${measured.map((ms) => ms.toFixed(0)).join(", ")} ms`);
    expect(Math.min(...measured)).toBeLessThan(50);
  });
});
