import { describe, expect, it } from "vitest";
import { parseExperiment } from "../../../server/experiment/parse.ts";
import { problemText } from "../../../server/experiment/problem.ts";
import { exampleExperiment } from "../../../server/experiment/reference.ts";

/** The problems of a text as "line:column message". */
const problems = (text: string): string[] =>
  parseExperiment(text, "/x/demo.btx.yaml").problems.map((p) => `${p.line}:${p.column} ${p.message}`);

const valid = "domains: {code: {files: code.txt}}\n";

describe("parseExperiment, on mistakes", () => {
  it("names the nearest key for an unknown one", () => {
    expect(problems(`${valid}exprts: {tokens: 500k}\n`)).toEqual(["2:1 unknown key `exprts`, did you mean `experts`?"]);
    const { problems: found } = parseExperiment(`${valid}exprts: {tokens: 500k}\n`, "f");
    expect(found[0]).toMatchObject({ endLine: 2, endColumn: 7, path: ["exprts"], suggestion: "experts" });
  });

  it("finds unknown keys at every depth, and compares without case and underscores", () => {
    const text = `domains: {code: {files: a, learning_rate: 1}}\nmix: {router: {tpe: top-k}}\nmodel: {KVHeads: 2}\n`;
    expect(problems(text)).toEqual([
      "1:28 unknown key `learning_rate`, did you mean `learningRate`?",
      "2:16 unknown key `tpe`, did you mean `type`?",
      "3:9 unknown key `KVHeads`, did you mean `kvHeads`?",
    ]);
  });

  it("says where a key belongs that stands in the wrong section", () => {
    expect(problems(`${valid}mix: {k: 2}\nhidden: 3\nmodel: {compare: [btm]}\n`)).toEqual([
      "2:7 unknown key `k` in `mix`: it belongs in `mix.router`",
      "3:1 unknown key `hidden`: it belongs in `model`",
      "4:9 unknown key `compare` in `model`: it belongs at the top of the file",
    ]);
  });

  it("says what was expected and what was given", () => {
    const text = `${valid}model:\n  layers: four\n  hidden: 0\n  heads: 1.5\n  tiedEmbeddings: yes\nheldOut: 1\nseed:\nexperts: [1]\n`;
    expect(problems(text)).toEqual([
      "3:11 `model.layers` must be a whole number from 1 to 1024, not the text `four`",
      "4:11 `model.hidden` must be a whole number of at least 1, not 0",
      "5:10 `model.heads` must be a whole number of at least 1, not 1.5",
      "6:19 `model.tiedEmbeddings` must be true or false, not the text `yes`",
      "7:10 `heldOut` must be a number above 0 and below 1, not 1",
      "8:6 `seed` must be a mapping, not nothing",
      "9:10 `experts` must be a mapping, not the list `[1]`",
    ]);
  });

  it("names the nearest value of a list of choices", () => {
    const one = "must be one of `average`, `dense`, `upcycling`, `upcycling-compute`, `btm`, not the text";
    const text = `${valid}compare: [dens, xyz, upcyclingCompute]\ntokenizer: {type: byte}\nfinetune: {freeze: [expert]}\nmix: {router: {type: swich, balance: loss}}\n`;
    expect(problems(text)).toEqual([
      `2:11 \`compare[0]\` ${one} \`dens\`, did you mean \`dense\`?`,
      `2:17 \`compare[1]\` ${one} \`xyz\``,
      `2:22 \`compare[2]\` ${one} \`upcyclingCompute\`, did you mean \`upcycling-compute\`?`,
      "3:19 `tokenizer.type` must be one of `bytes`, `bpe`, `file`, not the text `byte`, did you mean `bytes`?",
      "4:21 `finetune.freeze[0]` must be one of `experts`, `attention`, `router`, `embeddings`, `norms`, `dense`, or one expert such as `expert:code`, not the text `expert`, did you mean `experts`?",
      "5:22 `mix.router.type` must be one of `top-k`, `switch`, `soft`, `sample-top-1`, not the text `swich`, did you mean `switch`?",
      "5:38 `mix.router.balance` must be one of `btx`, `switch`, `bias`, `none`, not the text `loss`",
    ]);
  });

  it("refuses numbers of a router that are 0, negative or not whole", () => {
    const text = `${valid}mix:\n  split: 1\n  blend: 2\n  router:\n    k: 0\n    capacity: 0\n    evaluationCapacity: -1.5\n    temperatureRate: .inf\n    minTemperature: 0\n    loadBalance: -0.01\n    biasRate: 0\n    zLoss: -1\n    initTokens: 0.5\n`;
    expect(problems(text)).toEqual([
      "3:10 `mix.split` must be a whole number from 2 to 1024, not 1",
      "4:10 `mix.blend` must be true or false, not 2",
      "6:8 `mix.router.k` must be a whole number of at least 1, not 0",
      "7:15 `mix.router.capacity` must be a number above 0, not 0",
      "8:25 `mix.router.evaluationCapacity` must be a number above 0, not -1.5",
      "9:22 `mix.router.temperatureRate` must be a number above 0, not Infinity",
      "10:21 `mix.router.minTemperature` must be a number above 0, not 0",
      "11:18 `mix.router.loadBalance` must be a number of at least 0, not -0.01",
      "12:15 `mix.router.biasRate` must be a number above 0, not 0",
      "13:12 `mix.router.zLoss` must be a number of at least 0, not -1",
      "14:17 `mix.router.initTokens` must be a whole number of at least 1, not 0.5",
    ]);
  });

  it("refuses numbers of tokens that are not whole or not positive", () => {
    const rule = "must be a whole number of tokens of at least 1, such as 20000, 500k or 1.5M, not";
    expect(problems(`${valid}seed: {tokens: 1.0005k}\nexperts: {tokens: 0}\nfinetune: {tokens: 5 k}\n`)).toEqual([
      `2:16 \`seed.tokens\` ${rule} the text \`1.0005k\``,
      `3:19 \`experts.tokens\` ${rule} 0`,
      `4:20 \`finetune.tokens\` ${rule} the text \`5 k\``,
    ]);
  });

  it("asks for domains and for their files", () => {
    const files = "must be a path, a folder or a glob, or a list of them";
    const domains = "must be a mapping with at least one domain, such as {code: {files: code/**/*.py}}";
    expect(problems("model: {}\n")).toEqual([`1:1 \`domains\` is missing: it ${domains}`]);
    expect(problems("domains: {}\n")).toEqual([`1:10 \`domains\` ${domains}, not the mapping \`{}\``]);
    expect(problems("domains:\n  code: {text: a}\n")).toEqual([`2:3 \`domains.code.files\` is missing: it ${files}`]);
    expect(problems("domains: {code: {files: []}}\n")).toEqual([
      `1:25 \`domains.code.files\` ${files}, not the list \`[]\``,
    ]);
  });

  it("refuses domain names that mean something else or are no names", () => {
    const rule =
      "must be a name of at most 64 letters, digits, `_` and `-` that begins with a letter and is neither `seed` nor `mean`";
    const text = "domains:\n  1b: {files: x}\n  seed: {files: x}\n  mean: {files: x}\n  a b: {files: x}\n";
    expect(problems(text)).toEqual([
      `2:3 \`1b\` ${rule}`,
      `3:3 \`seed\` ${rule}`,
      `4:3 \`mean\` ${rule}`,
      `5:3 \`a b\` ${rule}`,
    ]);
  });

  it("reports duplicate keys with the line of the first, and goes on", () => {
    expect(problems(`${valid}model:\n  layers: 2\n  layers: 3\ndomains: {b: {files: y}}\nhelpOut: 1\n`)).toEqual([
      "4:3 the key `layers` is given twice in `model`, first on line 3",
      "5:1 the key `domains` is given twice, first on line 1",
      "6:1 unknown key `helpOut`, did you mean `heldOut`?",
    ]);
  });

  it("reports tabs, unclosed brackets, unknown tags and a second document by their lines", () => {
    expect(problems("domains:\n\tcode: {files: x}\n")).toEqual(["2:1 this line is indented with a tab: use spaces"]);
    expect(problems("domains: {code: {files: x}\nmodel: {}\n")[0]).toBe(
      "2:1 a `{` above is not closed with `}`, or a line in it is not indented",
    );
    expect(problems("domains: !!python/object {code: {files: x}}\n")).toEqual([
      "1:10 not valid YAML: unresolved tag: tag:yaml.org,2002:python/object",
    ]);
    expect(problems(`${valid}---\n${valid}`)).toEqual([
      "2:1 a second document begins here: write one experiment per file",
    ]);
  });

  it("stops at anchors that explode, contain themselves or do not exist", () => {
    const bomb = ["a: &a [x, x]"];
    for (const [from, to] of ["ab", "bc", "cd", "de", "ef", "fg"].map((pair) => [...pair]))
      bomb.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(", ")}]`);
    expect(problems(`${bomb.join("\n")}\n${valid}`)).toEqual([
      "2:8 the file uses more than 50 aliases (`*a`): write the values out",
    ]);
    expect(problems("domains: &d\n  a: *d\n")).toEqual(["2:6 the alias `*d` contains itself"]);
    expect(problems("domains: *d\n")).toEqual(["1:10 the alias `*d` has no anchor `&d` before it"]);
  });

  it("takes __proto__ as the unknown key it is, and other names of Object's as names", () => {
    expect(problems(`${valid}__proto__: {x: 1}\nmodel: {__proto__: 1, constructor: 2}\n`)).toEqual([
      "2:1 unknown key `__proto__`",
      "3:9 unknown key `__proto__`",
      "3:23 unknown key `constructor` in `model`",
    ]);
    const { experiment } = parseExperiment("domains: {constructor: {files: x}}\n", "f");
    expect([...experiment!.domains.keys()]).toEqual(["constructor"]);
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
  });

  it("says in one sentence why a file is no experiment at all", () => {
    const nothing = "1:1 the file is empty: add at least the key `domains`";
    const mapping = "1:1 an experiment must be a mapping with at least the key `domains`, not";
    expect(problems("")).toEqual([nothing]);
    expect(problems(" \n\t\n")).toEqual([nothing]);
    expect(problems("# a comment\n")).toEqual([`${mapping} nothing`]);
    expect(problems("- a\n")).toEqual([`${mapping} the list \`["a"]\``]);
    expect(problems("hello\n")).toEqual([`${mapping} the text \`hello\``]);
    expect(problems("domains:\n a\u0000b")).toEqual(["2:3 the file is not UTF-8 text"]);
    expect(problems(`# ${"x".repeat(1 << 20)}`)).toEqual([
      "1:1 the file has 1048578 characters, but an experiment file has at most 65536: check that it is the right file",
    ]);
  });

  it("counts columns from the first character after a byte order mark, and lines with CRLF as one", () => {
    expect(problems(`\uFEFFexprts: {}\n${valid}`)).toEqual(["1:1 unknown key `exprts`, did you mean `experts`?"]);
    expect(problems(`${valid.trim()}\r\nexprts: {}\r\n`)).toEqual([
      "2:1 unknown key `exprts`, did you mean `experts`?",
    ]);
  });

  it("points into the anchor, once, for a mistake that an alias repeats", () => {
    expect(problems("training: &t {bach: 4}\ndomains: {a: {files: x}}\nexperts: *t\n")).toEqual([
      "1:15 unknown key `bach`, did you mean `batch`?",
    ]);
  });

  it("reports no more than a hundred mistakes", () => {
    const keys = Array.from({ length: 500 }, (_, i) => `unknown${i}: 1\n`).join("");
    expect(problems(valid + keys)).toHaveLength(100);
  });

  it("gives a problem as one line for a terminal", () => {
    const { problems: found } = parseExperiment(`${valid}exprts: {}\n`, "f");
    expect(problemText(found[0]!, "a.btx.yaml")).toBe(
      "a.btx.yaml:2:1: error: unknown key `exprts`, did you mean `experts`?",
    );
  });
});

/** Mulberry32, a small seeded generator. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("parseExperiment, on anything", () => {
  it("never throws, gives an experiment or errors, sorted and inside the file, on 300 mutated files", () => {
    const next = random(7);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)]!;
    const pieces = [
      "{",
      "}",
      "[",
      "]",
      ":",
      ": ",
      "\n",
      "\n  ",
      "\t",
      "- ",
      "? ",
      "&a ",
      "*a",
      "!!x ",
      "|\n",
      ">",
      "'",
      '"',
    ];
    pieces.push(
      "#",
      "---\n",
      "%",
      "__proto__",
      "null",
      "1e999",
      ".nan",
      "\u0000",
      "\uFEFF",
      "\r",
      "é",
      "<<: *a",
      "-1",
      "0x",
    );
    for (let round = 0; round < 300; round++) {
      let text = exampleExperiment;
      for (let edits = 1 + Math.floor(next() * 6); edits > 0; edits--) {
        const at = Math.floor(next() * text.length);
        const cut = next() < 0.5 ? 0 : Math.floor(next() * 20);
        text = text.slice(0, at) + (next() < 0.7 ? pick(pieces) : "") + text.slice(at + cut);
      }
      const { experiment, problems: found } = parseExperiment(text, "f.btx.yaml");
      expect(experiment === undefined, text).toBe(found.length > 0);
      const lines = text.split("\n").length;
      for (const [i, p] of found.entries()) {
        expect(p.line >= 1 && p.column >= 1 && p.line <= lines && p.endLine >= p.line, text).toBe(true);
        expect(i === 0 || found[i - 1]!.line <= p.line, text).toBe(true);
        expect(p.message).not.toContain("\n");
      }
    }
  });

  it("answers hostile nesting and repetition", () => {
    for (const piece of [
      "[",
      "{",
      "- ",
      "? ",
      "&a ",
      "!!a ",
      '"',
      "a: ",
      "a:\n",
      "*a\n",
      "- *a\n",
      "%\n",
      "]",
      "---\n",
    ])
      expect(problems(piece.repeat(4096 / piece.length)).length, piece).toBeGreaterThan(0);
    expect(problems("[".repeat(65_536))).toEqual([expect.stringContaining("the file is nested too deeply")]);
  });
});
