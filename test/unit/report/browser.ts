import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { expect } from "vitest";

/** A real browser for pages that this project writes. */

const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
export const noBrowser = browserPath === undefined;
/** For the name of a test that needs a browser. */
export const why = browserPath ? "" : " (skipped: no Chromium here; Debian: apt-get install chromium)";

/** Opens a page in light and dark at 420 and 1200 px, and in high contrast: no message, no request, no sideways scrolling, its title as given. */
export async function expectSoundPage(text: string, title: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "btx-page-"));
  const file = join(folder, "page.html");
  writeFileSync(file, text);
  const browser = await chromium.launch({
    executablePath: browserPath ?? "",
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
  });
  try {
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ colorScheme });
      const problems: string[] = [];
      const requests: string[] = [];
      page.on("console", (message) => problems.push(message.text()));
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("request", (request) => requests.push(request.url()));
      await page.goto(pathToFileURL(file).href);
      await page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true");
      for (const width of [420, 1200]) {
        await page.setViewportSize({ width, height: 900 });
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
        expect(
          await page.evaluate(
            "[...document.querySelectorAll('main > section')].every((s) => s.scrollWidth <= s.clientWidth)",
          ),
        ).toBe(true);
      }
      expect(await page.title()).toBe(title);
      expect(await page.evaluate("getComputedStyle(document.documentElement).colorScheme")).toBe(colorScheme);
      await page.emulateMedia({ contrast: "more" });
      const colors =
        "(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.documentElement))";
      const [ink, paper] = colorScheme === "light" ? [0, 255] : [255, 0];
      expect(await page.evaluate(colors)).toEqual([`rgb(${ink}, ${ink}, ${ink})`, `rgb(${paper}, ${paper}, ${paper})`]);
      expect(problems).toEqual([]);
      expect(requests.filter((url) => url !== pathToFileURL(file).href && !url.startsWith("data:"))).toEqual([]);
      await page.close();
    }
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
