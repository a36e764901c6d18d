import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { describe, expect, it } from "vitest";
import { renderReport } from "../../../server/report/report.ts";
import { runFixture } from "../../fixtures/run.ts";

const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
const why = browserPath ? "" : " (skipped: no Chromium here; Debian: apt-get install chromium)";

describe(`a report in a real browser${why}`, () => {
  it.skipIf(!browserPath)(
    "loads in light and dark at 420 and 1200 px without an error, a request or sideways scrolling",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "btx-report-"));
      const file = join(folder, "report.html");
      const domains = [
        "typescript-source-files-of-packages",
        "prose",
        "math",
        "<script>document.title='broken'</script>",
      ];
      writeFileSync(
        file,
        renderReport(runFixture({ domains, layers: 6, steps: 200, experiment: `a: ${"long ".repeat(200)}` })),
      );
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
          expect(await page.title()).toBe("three-domains – BTX Studio");
          expect(await page.evaluate("getComputedStyle(document.documentElement).colorScheme")).toBe(colorScheme);
          expect(problems).toEqual([]);
          expect(requests.filter((url) => url !== pathToFileURL(file).href && !url.startsWith("data:"))).toEqual([]);
          await page.close();
        }
      } finally {
        await browser.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
