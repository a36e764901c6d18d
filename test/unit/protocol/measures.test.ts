import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cellMeasures, otherMeasures } from "../../../server/protocol/measures.ts";

test("every measure stands in the guide with its formula, and the guide has no other", () => {
  const guide = readFileSync(new URL("../../../docs/routing.md", import.meta.url), "utf8");
  const rows = guide
    .split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| (measure|---)/.test(line))
    .map((line) => line.replaceAll("\\|", "¦").split("|").slice(1, 3));
  const said = rows.map(([label, formula]) => `${label!.trim()}: ${formula!.trim().replaceAll("¦", "|")}`);
  const all = [...Object.values(cellMeasures), ...Object.values(otherMeasures)];
  expect(said).toEqual(all.map(({ label, formula }) => `${label}: ${formula}`));
});
