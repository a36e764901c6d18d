import { describe, it } from "vitest";
import { compareResults } from "../../../server/compare/compare.ts";
import { renderReport } from "../../../server/report/report.ts";
import { renderComparison } from "../../../server/report/runs/page.ts";
import { runFixture } from "../../fixtures/run.ts";
import { changing, resultsFixture } from "../../fixtures/runs.ts";
import { expectSoundPage, noBrowser, why } from "./browser.ts";

const domains = ["typescript-source-files-of-packages", "prose", "math", "<script>document.title='broken'</script>"];

describe.skipIf(noBrowser)(
  `loads in a real browser, light and dark, at 420 and 1200 px, without an error, a request or sideways scrolling${why}:`,
  () => {
    it("a report", async () => {
      const page = renderReport(
        runFixture({ domains, layers: 6, steps: 200, experiment: `a: ${"long ".repeat(200)}` }),
      );
      await expectSoundPage(page, "three-domains – BTX Studio");
    });

    it("a comparison of runs", async () => {
      const change = changing("mix", (spec) => ({
        ...spec,
        router: { type: "switch", capacity: 1.5, loadBalance: 0.01 },
      }));
      const runs = [
        ...[1, 2, 3].map((randomSeed) => resultsFixture({ domains, randomSeed, shift: randomSeed / 100 })),
        resultsFixture({ domains, id: "20260305-000000", place: "a-folder-with-a-long-name/".repeat(6), change }),
      ];
      await expectSoundPage(renderComparison(compareResults(runs)), "Comparison of three-domains – BTX Studio");
    });
  },
);
