import { join } from "node:path";
import { makeFolder, writeFileAtomic } from "../../disk/atomic.ts";
import type { ComparisonOfRuns } from "../../protocol/comparison.ts";
import { comparisonCsv } from "./csv.ts";
import { renderComparison } from "./page.ts";

/**
 * Writes `comparison.csv`, `comparison.json` and `comparison.html` into `folder`, which is created if necessary.
 *
 * @returns the paths written
 * @throws UserError if the folder cannot be written or the disk is full
 */
export async function writeComparison(comparison: ComparisonOfRuns, folder: string): Promise<string[]> {
  makeFolder(folder);
  const [csv, json, page] = ["csv", "json", "html"].map((kind) => join(folder, `comparison.${kind}`)) as [
    string,
    string,
    string,
  ];
  await writeFileAtomic(csv, comparisonCsv(comparison));
  await writeFileAtomic(json, `${JSON.stringify(comparison, null, 2)}\n`);
  await writeFileAtomic(page, renderComparison(comparison));
  return [csv, json, page];
}
