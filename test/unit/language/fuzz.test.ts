import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Position, Range } from "vscode-languageserver";
import { exampleExperiment } from "../../../server/experiment/reference.ts";
import { DomainFiles } from "../../../server/language/facts/domainFiles.ts";
import { ExperimentFacts } from "../../../server/language/facts/experimentFacts.ts";
import { codeLenses } from "../../../server/language/features/codeLenses.ts";
import { complete } from "../../../server/language/features/completion.ts";
import { diagnosticsOf } from "../../../server/language/features/diagnostics.ts";
import { foldingRanges } from "../../../server/language/features/folding.ts";
import { formatting } from "../../../server/language/features/formatting.ts";
import { hover } from "../../../server/language/features/hover.ts";
import { inlayHints } from "../../../server/language/features/inlayHints.ts";
import { documentLinks } from "../../../server/language/features/links.ts";
import { definition, prepareRename, references, rename } from "../../../server/language/features/names.ts";
import { quickFixes } from "../../../server/language/features/quickFixes.ts";
import { semanticTokens } from "../../../server/language/features/semanticTokens.ts";
import { documentSymbols } from "../../../server/language/features/symbols.ts";
import type { Snapshot } from "../../../server/language/snapshot.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { randomNumbers } from "../../fixtures/run.ts";
import { ask, opened } from "./support.ts";

const example = (name: string) => readFileSync(new URL(`../../../examples/${name}`, import.meta.url), "utf8");
const blocks = `# blocks
domains:
  code: # one
    files:
      - src/*.py
      - "!src/x.py"
    tokens: 20k
  'prose': {files: text, text: "{a}\\n{b}"}
tokenizer: {type: file, path: tok}
seed:
  from: ./seed
mix:
  experts: [code, 'prose', seed]
  router:
    type: switch
    capacity: 1.5
finetune: &f
  tokens: 1.5M
  mixture: {code: 1, prose: 2}
compare:
- dense
- btm
`;
const many = `${exampleExperiment}${Array.from({ length: 30 }, (_, i) => `# line ${i}\n`).join("")}`;
const sources = [example("demo.btx.yaml"), example("smoke.btx.yaml"), exampleExperiment, blocks, many];

const pieces = [
  "{",
  "}",
  "[",
  "]",
  ":",
  ": ",
  ",",
  "\n",
  "\n  ",
  "\n    ",
  "\t",
  "- ",
  "? ",
  "&a ",
  "*a",
  "!!x ",
  "|\n",
];
pieces.push(
  ">",
  "'",
  '"',
  "#",
  " # ",
  "---\n",
  "%",
  "__proto__",
  "null",
  "1e999",
  ".nan",
  "\u0000",
  "\uFEFF",
  "\r",
  "\r\n",
);
pieces.push("é", "🙂", "<<: *a", "-1", "code", "domains:", "mix: {", "../", "~", "constructor: 1", "\u2028", "\u0085");

const random = randomNumbers(11);
const below = (limit: number): number => Math.floor(random() * limit);

function mutated(source: string): string {
  let text = source;
  for (let edits = 1 + below(5); edits > 0; edits--) {
    const at = below(text.length + 1);
    const cut = random() < 0.5 ? 0 : below(25);
    text = text.slice(0, at) + (random() < 0.7 ? pieces[below(pieces.length)] : "") + text.slice(at + cut);
  }
  return random() < 0.05 ? text.slice(0, below(text.length)) : text;
}

const domainFiles = new DomainFiles(ask);
const facts = new ExperimentFacts(ask);
const everything: Range = { start: { line: 0, character: 0 }, end: { line: 9999, character: 0 } };

/** A rename's answer, or the sentence it was refused with. */
function asked<T>(question: () => T): T | string {
  try {
    return question();
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

type Request = (snapshot: Snapshot, position: Position) => unknown;
const requests: Record<string, Request> = {
  diagnostics: (snapshot) => diagnosticsOf(snapshot, snapshot.parsed.problems),
  "quick fixes": (snapshot) => quickFixes(snapshot, diagnosticsOf(snapshot, snapshot.parsed.problems)),
  completion: (snapshot, position) => complete(snapshot, position, true, ask),
  hover: (snapshot, position) => hover(snapshot, position, domainFiles),
  definition,
  references: (snapshot, position) => references(snapshot, position, true),
  rename: (snapshot, position) => asked(() => [prepareRename(snapshot, position), rename(snapshot, position, "other")]),
  "document symbols": documentSymbols,
  folding: foldingRanges,
  links: (snapshot) => documentLinks(snapshot, ask),
  "code lenses": (snapshot) => codeLenses(snapshot, undefined),
  formatting: (snapshot) => formatting(snapshot, 2),
  "semantic tokens": semanticTokens,
  "inlay hints": async (snapshot) => {
    const costs = await facts.costs(snapshot);
    return costs ? inlayHints(snapshot, everything, costs, undefined) : [];
  },
};
const names = Object.keys(requests);

/** Every position and range in an answer, however deep. */
function* placesIn(answer: unknown): Generator<Position> {
  if (typeof answer !== "object" || answer === null) return;
  const { line, character } = answer as Partial<Position>;
  if (typeof line === "number" && typeof character === "number") yield { line, character };
  else for (const part of Object.values(answer)) yield* placesIn(part);
}

function expectInside(snapshot: Snapshot, answer: unknown, what: string): void {
  for (const place of placesIn(answer)) {
    // A position outside the text, or between the characters of a line's end, comes back as another one.
    const inside = snapshot.position(snapshot.offset(place));
    if (inside.line !== place.line || inside.character !== place.character)
      expect.fail(`${what}: ${JSON.stringify(place)} is outside of ${JSON.stringify(snapshot.text)}`);
  }
}

/** Foldings have lines only, and semantic tokens count from one to the next. */
function expectLinesInside(snapshot: Snapshot, what: string, answer: unknown): void {
  const last = snapshot.position(snapshot.text.length).line;
  if (what === "folding")
    for (const { startLine, endLine } of answer as { startLine: number; endLine: number }[])
      if (startLine < 0 || endLine <= startLine || endLine > last)
        expect.fail(`folding ${startLine}-${endLine} of ${JSON.stringify(snapshot.text)}`);
  if (what !== "semantic tokens") return;
  const { data } = answer as { data: number[] };
  let [line, character] = [0, 0];
  for (let i = 0; i < data.length; i += 5) {
    const [lines, characters, length] = data.slice(i, i + 3) as [number, number, number];
    [line, character] = [line + lines, lines === 0 ? character + characters : characters];
    expectInside(
      snapshot,
      [
        { line, character },
        { line, character: character + length },
      ],
      what,
    );
    if (lines < 0 || (lines === 0 && characters < 0)) expect.fail(`tokens of ${JSON.stringify(snapshot.text)}`);
  }
}

describe("the language server's answers", () => {
  it("come, and lie inside the text, for 5,000 mutated files", async () => {
    let count = 0;
    for (let round = 0; round < 5000; round++) {
      const snapshot = opened(mutated(sources[round % sources.length]!));
      const position = snapshot.position(below(snapshot.text.length + 1));
      // Two kinds of requests a file, all kinds in turn.
      for (const name of [names[round % names.length]!, names[below(names.length)]!]) {
        let answer: unknown;
        try {
          answer = await requests[name]!(snapshot, position);
        } catch (error) {
          throw new Error(`${name} at ${JSON.stringify(position)} of ${JSON.stringify(snapshot.text)}`, {
            cause: error,
          });
        }
        expectInside(snapshot, answer, name);
        expectLinesInside(snapshot, name, answer);
        count++;
      }
    }
    expect(count).toBe(10_000);
  }, 180_000);
});
