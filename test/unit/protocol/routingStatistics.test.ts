import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { countedIn, routingStatistics, statisticsIn } from "../../../server/protocol/routingStatistics.ts";

test("the page on the run folder has a row for every routing statistic, and no other", () => {
  const page = readFileSync(new URL("../../../docs/run-folder.md", import.meta.url), "utf8");
  const table = page.slice(page.indexOf("| statistic | axes |")).split("\n\n")[0]!;
  const rows = Object.entries(routingStatistics).map(
    ([name, { axes, counts }]) => `| \`${name}\` | ${axes.join(", ")} | ${counts} |`,
  );
  expect(table.trim().split("\n").slice(2)).toEqual(rows);
});

test("statistics are listed by where they are recorded, in the order of files that exist", () => {
  expect(statisticsIn("training")).toEqual([
    "routedTokens",
    "gateMass",
    "probability",
    "droppedTokens",
    "tokens",
    "entropy",
  ]);
  expect(statisticsIn("pairs")).toEqual(["coActivation", "transitions"]);
  expect(statisticsIn("detail")).toEqual(["coActivation", "transitions", "histogram"]);
  expect(statisticsIn("probe")).toEqual(["histogram", "vocabularyInput", "vocabularyPredicted"]);
  expect(countedIn("probe", "pairs")).toEqual(["coActivation", "transitions", "histogram"]);
});
