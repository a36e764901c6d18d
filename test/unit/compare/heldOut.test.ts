import { describe, expect, it } from "vitest";
import { checkHeldOut } from "../../../server/compare/heldOut.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import type { DomainSpec } from "../../../server/protocol/stage.ts";
import { changing, type ResultsFixture, resultsFixture } from "../../fixtures/runs.ts";

const [first, second] = ["three-domains (20260304-123001)", "three-domains (20260304-123002)"];
const check = (other: ResultsFixture, measure: "nats" | "bitsPerByte" = "nats", one: ResultsFixture = {}) =>
  checkHeldOut([resultsFixture(one), resultsFixture({ randomSeed: 2, ...other })], measure);
const ofCode = (edit: Partial<DomainSpec>) =>
  changing("data", (spec) => ({ ...spec, domains: { ...spec.domains, code: { ...spec.domains.code!, ...edit } } }));
const refusal = (reason: string) =>
  `the runs ${first} and ${second} cannot be compared: their held-out text differs in domain code (${reason})`;

describe("runs can be compared", () => {
  it("when they held out the same text, wherever it lies, whatever else they do", () => {
    expect(check({ change: ofCode({ files: ["/elsewhere/b.txt"] }) })).toEqual([]);
    expect(check({ change: changing("mix", (spec) => ({ ...spec, split: 2 })) })).toEqual([]);
  });

  it("when both evaluated all of it, whatever their limits", () => {
    const more = changing("evaluate", (spec) => ({ ...spec, tokens: 40_000 }));
    // 20,000 targets of 20,001 tokens: all of them, under a limit of 20,000 as of 40,000.
    expect(check({ change: more, heldOutTokens: 20_001 }, "nats", { heldOutTokens: 20_001 })).toEqual([]);
    expect(() => check({ change: more, heldOutTokens: 20_002 }, "nats", { heldOutTokens: 20_002 })).toThrow(UserError);
  });

  it("with a word of care where exact match is over other numbers of problems", () => {
    const change = changing("evaluate", (spec) => ({ ...spec, answers: 7 }));
    expect(check({ change })).toEqual([expect.stringMatching(/at most 50 problems per domain in .+ and 7 in /)]);
  });
});

describe("runs are refused, with both runs, the domain and the reason,", () => {
  it.each([
    ["contents of its files", ofCode({ sha256: "f".repeat(64) })],
    ["text template: none and {q}", ofCode({ text: "{q}" })],
    ["answer marker: none and = ", ofCode({ answerAfter: "= " })],
    ["held-out share: 0.05 and 0.1", changing("data", (spec) => ({ ...spec, heldOut: 0.1 }))],
    [
      "evaluated tokens: at most 20000 in windows of 128 and at most 300 in windows of 128",
      changing("evaluate", (spec) => ({ ...spec, tokens: 300 })),
    ],
    [
      "evaluated tokens: at most 20000 in windows of 128 and at most 20000 in windows of 64",
      changing("seed", (spec) => ({ ...spec, model: { ...spec.model, context: 64 } })),
    ],
  ])("when these differ: %s", (reason, change) => {
    expect(() => check({ change })).toThrow(refusal(reason));
    expect(() => check({ change })).toThrow(UserError);
  });

  it("when one held out a domain that the other has not", () => {
    const change = changing("evaluate", (spec) => ({ ...spec, domains: ["code", "prose"] }));
    expect(() => check({ change })).toThrow(`cannot be compared: only ${first} has the domain math`);
    expect(() => check({}, "nats", { change })).toThrow(`only ${second} has the domain math`);
  });

  it("when their tokenizers differ, unless bits per byte are compared", () => {
    const change = changing("data", (spec) => ({ ...spec, tokenizer: { type: "bytes" } }));
    expect(() => check({ change })).toThrow(/their tokenizers differ \(bpe, 1024; bytes\).+use --bits/);
    expect(check({ change, heldOutTokens: 9 }, "bitsPerByte", { heldOutTokens: 9 })).toEqual([]);
    expect(check({ change }, "bitsPerByte")).toEqual([expect.stringContaining("different parts of the held-out text")]);
    const other = (edit: Partial<DomainSpec>) => (stage: Parameters<typeof change>[0]) => {
      const spec = ofCode(edit)(stage);
      return change({ ...stage, spec });
    };
    expect(() => check({ change: other({ sha256: "f".repeat(64) }) }, "bitsPerByte")).toThrow(
      refusal("contents of its files"),
    );
  });
});
