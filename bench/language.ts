import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Position } from "vscode-languageserver";
import { DomainFiles } from "../server/language/facts/domainFiles.ts";
import { ExperimentFacts } from "../server/language/facts/experimentFacts.ts";
import { codeLenses } from "../server/language/features/codeLenses.ts";
import { complete } from "../server/language/features/completion.ts";
import { diagnosticsOf } from "../server/language/features/diagnostics.ts";
import { foldingRanges } from "../server/language/features/folding.ts";
import { formatting } from "../server/language/features/formatting.ts";
import { hover } from "../server/language/features/hover.ts";
import { inlayHints } from "../server/language/features/inlayHints.ts";
import { documentLinks } from "../server/language/features/links.ts";
import { definition, references, rename } from "../server/language/features/names.ts";
import { quickFixes } from "../server/language/features/quickFixes.ts";
import { semanticTokens } from "../server/language/features/semanticTokens.ts";
import { documentSymbols } from "../server/language/features/symbols.ts";
import { answerLookup } from "../server/language/lookups/answers.ts";
import type { Ask } from "../server/language/lookups/questions.ts";
import { Snapshot } from "../server/language/snapshot.ts";
import { randomStream } from "../server/model/random.ts";

/**
 * `npm run bench -- language [--json FILE] [--rounds N]`: how long each request about an experiment file of 1,000 lines takes,
 * ms. "typed": the first request after a letter was typed, when nothing of the text was read yet. "known": any later one.
 * "CPU": the time its thread worked, which other load on the machine lengthens less.
 */

const { values } = parseArgs({ options: { json: { type: "string" }, rounds: { type: "string", default: "60" } } });
const rounds = Number(values.rounds);

const domains = 325;
const lines = [
  "model: {layers: 4, hidden: 128}",
  "domains:",
  ...Array.from({ length: domains }, (_, i) => [
    `  domain${i}: # number ${i}`,
    `    files: [/usr/share/doc/**/${i}.txt, "more/${i}.jsonl"]`,
    `    tokens: ${i + 1}k`,
  ]).flat(),
  "seed: {tokens: 1M}",
  "experts: {tokens: 500k}",
  "mix:",
  `  experts: [${Array.from({ length: 30 }, (_, i) => `domain${i}`).join(", ")}, seed]`,
  "  router: {type: top-k, k: 2}",
  "finetune:",
  "  tokens: 500k",
  "  mixture:",
  ...Array.from({ length: 14 }, (_, i) => `    domain${i}: ${i + 1}`),
  "compare: [dense]",
  "",
];
const text = lines.join("\n");

/** In this process, so that it is measured. */
const ask: Ask = (lookup, asked) => answerLookup(lookup, asked, new AbortController().signal);
const domainFiles = new DomainFiles(ask);
const facts = new ExperimentFacts(ask);
const everything = { start: { line: 0, character: 0 }, end: { line: lines.length, character: 0 } };
type Request = (snapshot: Snapshot, position: Position) => unknown;
const requests: Record<string, Request> = {
  diagnostics: (snapshot) => diagnosticsOf(snapshot, snapshot.parsed.problems),
  "quick fixes": (snapshot) => quickFixes(snapshot, diagnosticsOf(snapshot, snapshot.parsed.problems)),
  completion: (snapshot, position) => complete(snapshot, position, true, ask),
  hover: (snapshot, position) => hover(snapshot, position, domainFiles),
  definition,
  references: (snapshot, position) => references(snapshot, position, true),
  rename: (snapshot) => rename(snapshot, { line: 2, character: 4 }, "other"),
  symbols: documentSymbols,
  folding: foldingRanges,
  links: (snapshot) => documentLinks(snapshot, ask),
  "code lenses": (snapshot) => codeLenses(snapshot, undefined),
  formatting: (snapshot) => formatting(snapshot, 2),
  "semantic tokens": semanticTokens,
  "inlay hints": async (snapshot) => inlayHints(snapshot, everything, (await facts.costs(snapshot))!, undefined),
};

const percentile = (times: number[], share: number): number =>
  times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))]!;

let version = 0;
/** The text after one more letter, and where it was typed. */
function typed(): [Snapshot, Position] {
  version++;
  const line = lines.length - 18 + (version % 14);
  const changed = lines.with(line, `${lines[line]} # ${version}`).join("\n");
  return [new Snapshot("file:///nowhere/bench.btx.yaml", version, changed), { line, character: 6 }];
}

/** CPU time of this thread, microseconds: Node has it from version 23.9 on, its types for Node 20 have it not. */
const { threadCpuUsage } = process as typeof process & { threadCpuUsage: typeof process.cpuUsage };

interface Taken {
  ms: number;
  cpu: number;
}

async function taken(name: string, snapshot: Snapshot, position: Position): Promise<Taken> {
  const [start, before] = [performance.now(), threadCpuUsage()];
  await requests[name]!(snapshot, position);
  const { user, system } = threadCpuUsage(before);
  return { ms: performance.now() - start, cpu: (user + system) / 1000 };
}

const random = randomStream(1, "order");
const figures: Record<string, { typed: Taken[]; known: Taken[] }> = {};
for (const name of Object.keys(requests)) figures[name] = { typed: [], known: [] };
for (let round = -40; round < rounds; round++) {
  // Another order each round: what the collector does now and then falls on all alike.
  const order = Object.entries(figures)
    .map((one) => ({ one, at: random.uniform() }))
    .sort((a, b) => a.at - b.at);
  for (const { one } of order) {
    const [name, { typed: first, known }] = one;
    const [snapshot, position] = typed();
    const times = [await taken(name, snapshot, position), await taken(name, snapshot, position)];
    // The first rounds are those in which the engine compiles, and in which the files of domains are looked for.
    if (round < 0) continue;
    first.push(times[0]!);
    known.push(times[1]!);
  }
}

console.log(`${lines.length} lines, ${text.length} characters, ${rounds} rounds; ms`);
console.log(`  ${"".padEnd(16)} typed: median, 95 %, CPU 95 %   known: median, 95 %, CPU 95 %`);
const report: Record<string, Record<string, number>> = {};
for (const [name, when] of Object.entries(figures)) {
  const row: Record<string, number> = {};
  for (const [label, times] of Object.entries(when)) {
    const ms = times.map((time) => time.ms);
    const cpu = times.map((time) => time.cpu);
    row[label] = percentile(ms, 0.5);
    row[`${label}95`] = percentile(ms, 0.95);
    row[`${label}Cpu95`] = percentile(cpu, 0.95);
  }
  report[name] = row;
  const cells = Object.values(row).map((ms) => ms.toFixed(1).padStart(8));
  console.log(`  ${name.padEnd(16)} ${cells.join("")}${row.typedCpu95! < 50 ? "" : "   over 50 ms"}`);
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
