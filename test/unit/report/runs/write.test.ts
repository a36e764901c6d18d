import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compareResults } from "../../../../server/compare/compare.ts";
import { comparisonSchema } from "../../../../server/protocol/comparison.ts";
import { comparisonCsv } from "../../../../server/report/runs/csv.ts";
import { writeComparison } from "../../../../server/report/runs/write.ts";
import { changing, resultsFixture } from "../../../fixtures/runs.ts";
import { temporaryFolder } from "../../runs/folder.ts";

const split = changing("mix", (spec) => ({ ...spec, split: 2 }));
const comparison = compareResults([
  resultsFixture(),
  resultsFixture({ randomSeed: 2, shift: 0.5 }),
  resultsFixture({ id: "20260305-000000", change: split }),
]);

/** Lines of fields, read by the rules of RFC 4180. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [[]];
  for (const [, quoted, plain = "", end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    lines.at(-1)!.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== ",") lines.push([]);
  }
  return lines.slice(0, -1);
}
const records = (text: string) => {
  const [head = [], ...lines] = parseCsv(text);
  return lines.map((line) => {
    expect(line).toHaveLength(head.length);
    return Object.fromEntries(head.map((name, at) => [name, line[at]!]));
  });
};

describe("comparison.csv", () => {
  it("has a line a row with units in its names, and the comparison's numbers in full", () => {
    const lines = records(comparisonCsv(comparison));
    expect(lines).toHaveLength(comparison.rows.length);
    for (const row of comparison.rows) {
      const line = lines.find(({ model, signature }) => model === row.model && signature === row.signature)!;
      expect(Number(line.random_seeds)).toBe(row.samples.length);
      expect(Number(line.loss_nats_per_token_code)).toBe(row.loss.domains.code!.mean);
      expect(Number(line.loss_nats_per_token_mean)).toBe(row.loss.mean.mean);
      expect(line.loss_nats_per_token_mean_deviation).toBe(String(row.loss.mean.deviation ?? ""));
      expect(Number(line.exact_match_share_math)).toBe(row.exactMatch!.domains.math!.mean);
      expect(Number(line.training_flops_beyond_seed)).toBe(row.flops!.beyondSeed);
      expect(Number(line.training_tokens_vs_btx_ratio)).toBe(row.tokens!.ratio);
    }
    expect(lines.filter(({ model }) => model === "btx").map((line) => line.configuration)).toEqual(["", "split 2"]);
    const bits = comparisonCsv(compareResults([resultsFixture()], { measure: "bitsPerByte" }));
    expect(records(bits)[0]).toHaveProperty("loss_bits_per_byte_mean");
  });

  it("quotes what needs it", () => {
    const text = comparisonCsv(compareResults([resultsFixture({ domains: ['a,"b', "c\nd", "e"] })]));
    expect(Object.keys(records(text)[0]!)).toContain('loss_nats_per_token_a,"b');
    expect(Object.keys(records(text)[0]!)).toContain("loss_nats_per_token_c\nd");
  });

  it("is empty of a comparison without rows", () => {
    expect(comparisonCsv(compareResults([{ ...resultsFixture(), records: new Map() }]))).toBe("");
  });
});

describe("writeComparison", () => {
  it("writes three files into a folder it makes, the JSON with everything", async () => {
    const folder = join(temporaryFolder(), "a", "b");
    const written = await writeComparison(comparison, folder);
    const names = ["comparison.csv", "comparison.html", "comparison.json"];
    expect(readdirSync(folder).sort()).toEqual(names);
    expect(written.toSorted()).toEqual(names.map((name) => join(folder, name)));
    const json = comparisonSchema.parse(JSON.parse(readFileSync(join(folder, "comparison.json"), "utf8")));
    expect(json).toEqual(comparison);
  });
});
