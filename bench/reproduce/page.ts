import { existsSync, readFileSync } from "node:fs";
import { count, duration, flops } from "../../server/protocol/format.ts";
import type { Scale } from "./experiments.ts";
import { about, findings } from "./findings.ts";
import { table2, table3, table4, table5 } from "./paper.ts";
import { ablation, type Mean, type ModelOf, main, type Results } from "./results.ts";

/** docs/reproduction.md: our tables beside the paper's, and what agrees. */

const labels: Record<string, string> = {
  seed: "seed",
  "expert:math": "expert math",
  "expert:code": "expert code",
  "expert:knowledge": "expert knowledge",
  average: "average of weights",
  mix: "mix, not finetuned",
  btx: "**BTX**, top-2",
  dense: "dense, data-matched",
  upcycling: "sparse upcycling, data-matched",
  "upcycling-compute": "sparse upcycling, compute-matched",
  "btm:tf-idf:1": "BTM, tf-idf, top-1",
  "btm:tf-idf:2": "BTM, tf-idf, top-2",
  "btm:bayes:1": "BTM, Bayes, top-1",
  "btm:bayes:2": "BTM, Bayes, top-2",
  balanced: "BTX, top-2, load balancing",
  unbalanced: "BTX, top-2, no load balancing",
  frozen: "no load balancing, experts frozen",
  blend: "blending",
  "split, top-2 of 8": "split, top-2 of 8",
  "split, top-4 of 8": "split, top-4 of 8",
  soft: "soft (all experts)",
  "sample-top-1": "sample top-1",
  switch: "Switch, top-1",
};
const labelOf = (name: string): string => labels[name] ?? name;

const loss = ({ value, error }: Mean): string =>
  error === undefined ? value.toFixed(3) : `${value.toFixed(3)} ± ${error.toFixed(3)}`;
const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");

/** Names by value, best first. */
const order = (values: ReadonlyMap<string, number>, best: "lowest" | "highest"): string =>
  [...values]
    .sort(([, a], [, b]) => (best === "lowest" ? a - b : b - a))
    .map(([name]) => labelOf(name).replaceAll("*", ""))
    .join("; ");

function comparisonTable(results: Results, names: readonly string[]): string {
  const { domains } = results;
  const rows = names.map((name) => {
    const of = main(name);
    const paper = table2[name];
    return [
      labelOf(name),
      ...domains.map((domain) => loss(results.loss(of, domain))),
      loss(results.loss(of)),
      paper ? `${paper.code} / ${paper.knowledge} / ${paper.math}` : "–",
      paper ? String(paper.average) : "–",
    ];
  });
  return table(["model", ...domains, "mean loss", "paper: code / knowledge / math", "paper: average"], rows);
}

function orders(results: Results, of: (name: string) => ModelOf, paper: Record<string, number>): string {
  const ours = new Map(Object.keys(paper).map((name) => [name, results.loss(of(name)).value]));
  return [
    `Ours, best first: ${order(ours, "lowest")}.`,
    `The paper, best first: ${order(new Map(Object.entries(paper)), "highest")}.`,
  ].join("\n\n");
}

function computeTable(results: Results): string {
  const names = ["btx", "upcycling-compute", "dense", "upcycling"];
  const rows = names.map((name) => {
    const row = results.row(main(name));
    const paper = name === "btx" || name === "upcycling-compute" ? table3[name] : undefined;
    return [
      labelOf(name),
      count(row.parameters!),
      count(row.activeParameters!),
      count(row.tokens!.beyondSeed),
      flops(row.flops!.beyondSeed),
      row.flops!.ratio === undefined ? "–" : `×${row.flops!.ratio.toFixed(2)}`,
      duration(row.seconds!),
      loss(results.loss(main(name))),
      paper ? `${paper.gpuDays} GPU-days, ${paper.tokens}B tokens, ${paper.average}` : "–",
    ];
  });
  return table(
    [
      "model",
      "parameters",
      "active",
      "tokens beyond the seed",
      "training compute",
      "over BTX",
      "working time of its stages, other load included",
      "mean loss",
      "paper",
    ],
    rows,
  );
}

function ablationTable(results: Results, paper: Record<string, number>): string {
  const rows = Object.entries(paper).map(([name, score]) => {
    const of = ablation(name);
    const { activeParameters } = results.row(of);
    return [
      labelOf(name),
      count(activeParameters!),
      ...results.domains.map((domain) => loss(results.loss(of, domain))),
      loss(results.loss(of)),
      String(score),
    ];
  });
  return table(["BTX with", "active parameters", ...results.domains, "mean loss", "paper's score"], rows);
}

/** What we think of the findings of the whole reproduction; written by hand after reading them. */
const discussion = (scale: Scale): string => {
  const file = "bench/reproduce/discussion.md";
  const text = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
  return scale.name === "full"
    ? text
    : `What follows was written about the whole reproduction, \`docs/reproduction.md\`, and its figures.\n\n${text}`;
};

export function reproductionPage(results: Results, scale: Scale, machine: string): string {
  const seeds = scale.randomSeeds.length;
  const table2Names = [
    "seed",
    "expert:code",
    "expert:knowledge",
    "expert:math",
    "average",
    "mix",
    "btx",
    "dense",
    "btm:tf-idf:1",
    "btm:tf-idf:2",
    "btm:bayes:1",
    "btm:bayes:2",
    "upcycling",
    "upcycling-compute",
  ];
  const found = findings(results);
  const averages = Object.fromEntries(Object.entries(table2).map(([name, { average }]) => [name, average]));
  return `# The paper's comparisons at small scale

Written by \`npm run reproduce${scale.name === "quick" ? " -- --quick" : ""}\`: Branch-Train-MiX (arXiv 2403.07816), its tables 1 to 5 in kind, on real text. A seed of 0.3 M parameters
(4 layers, width 64, vocabulary 1,024, context 128) is trained on ${count(scale.seedTokens)} tokens of three domains, then branched: code (TypeScript sources of installed packages),
knowledge (WikiText-2), math (GSM8K). Each expert sees ${count(scale.expertTokens)} tokens of its domain at a third of the seed's learning rate; the mix of three experts and the seed is finetuned on
${count(scale.finetuneTokens)} tokens of all domains (tables 2 and 3) or ${count(scale.ablationTokens)} (tables 4 and 5, as the paper's are shorter too).

Ours is the **held-out loss in nats per token, lower is better**; the paper's are scores, higher is better: the order of methods can be compared, the numbers cannot.
${seeds > 1 ? `Mean and standard error over ${seeds} random seeds, which change the order of data and the routers; the seed model is the same, as the paper's is. A difference is one where a paired t-test over random seeds says so at the 5 % level; "about equal" is within ${about} nats, "nearly unused" below a tenth of an even share.` : "One random seed: how much of a difference is noise is not known."}
Experts train at a learning rate of 1e-3, everything else at 3e-3 (the paper: 1e-4 everywhere, after a seed trained at 3e-4). WikiText-2's validation text has 430k training tokens, so its stages repeat it. Machine: ${machine}.

## What agrees

${table(
  ["what the paper suggests", "ours: difference in mean loss", ""],
  found.map(({ expectation, measured, verdict }) => [
    expectation,
    measured,
    verdict === "otherwise" ? "**not as expected**" : verdict,
  ]),
)}

${discussion(scale)}

## Methods (tables 1 and 2)

${comparisonTable(results, table2Names)}

${orders(results, main, averages)}

## Compute (table 3)

${computeTable(results)}

FLOPs by PaLM's convention, beyond those of the seed. Data-matched rows see the same tokens as BTX; the compute-matched one the same FLOPs.

## Routers (table 4)

No load balancing in any row, as in the paper. Capacity 1.5 for Switch, in training.

${ablationTable(results, table4)}

${orders(results, ablation, table4)}

## Ablations (table 5)

${ablationTable(results, table5)}

${orders(results, ablation, table5)}

## Run it again

    npm run reproduce                # resumable; \`-- --quick\` takes a quarter of the time, with one random seed
    npm run reproduce -- --math FILE --knowledge FILE --code GLOB

The experiments are written to \`.btx/reproduction/\`, where \`btx compare --in .btx/reproduction/${scale.name}\` and the reports show more.
`;
}
