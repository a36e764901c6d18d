import { expectedText, type SchemaNode, schemaRoot } from "./describe.ts";
import { trainingKeyNames } from "./schema/training.ts";

const example = `model:     {layers: 4, hidden: 128, heads: 4, kvHeads: 2, ffn: 352, context: 128}
tokenizer: {type: bpe, vocab: 1024}
domains:
  code:  {files: ../node_modules/typescript/lib/*.d.ts}
  prose: {files: ../node_modules/**/README.md}
  math:  {files: math/*.jsonl, text: "{question}\\n{answer}"}
seed:     {tokens: 1M}          # on all domains; or \`from: folder\` with a checkpoint
experts:  {tokens: 500k}        # one per domain, in parallel; a domain may override any training key
mix:      {experts: [code, prose, math, seed], router: {type: top-k, k: 2, loadBalance: 0.01}}
finetune: {tokens: 500k}
compare:  [average, dense, upcycling, upcycling-compute, btm]
`;

/** The experiment file of the reference page. */
export const exampleExperiment = example;

/** Rows of the paper's tables 3 to 5, and the keys that give each. */
export const ablations: readonly (readonly [row: string, keys: string])[] = [
  ["BTX, top-2 with load balancing", "mix: {router: {type: top-k, k: 2, loadBalance: 0.01}}"],
  ["no load balancing", "mix: {router: {balance: none}}"],
  ["Switch top-1", "mix: {router: {type: switch, capacity: 1.5, balance: none}}"],
  ["sample top-1", "mix: {router: {type: sample-top-1, balance: none}}"],
  ["soft routing", "mix: {router: {type: soft, balance: none}}"],
  ["no load balancing, frozen experts", "{mix: {router: {balance: none}}, finetune: {freeze: [experts]}}"],
  ["blending", "mix: {blend: true}"],
  ["splitting, top-2 of 8", "mix: {split: 2, router: {k: 2}}"],
  ["splitting, top-4 of 8", "mix: {split: 2, router: {k: 4}}"],
  ["sparse upcycling, equal data and equal compute", "compare: [upcycling, upcycling-compute]"],
  ["BTM, top-1 and top-2", "compare: [btm]"],
];

/**
 * JSON schema (draft 2020-12) of `*.btx.yaml`, for editors; units, defaults in words and the paper's values stand in
 * the descriptions.
 */
export function experimentJsonSchema(): Record<string, unknown> {
  return { title: "BTX experiment", ...(published(schemaRoot()) as Record<string, unknown>) };
}

const internal = new Set(["description", "unit", "paper", "defaultText", "expects"]);

function published(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(published);
  if (typeof value !== "object" || value === null) return value;
  const node = value as SchemaNode;
  // A property named like one of the notes holds a schema, and notes do not.
  const isSchema = typeof node.type === "string" || typeof node.description === "string";
  const result: Record<string, unknown> = node.description ? { description: fullDescription(node) } : {};
  for (const [key, child] of Object.entries(value)) {
    if (isSchema && internal.has(key)) continue;
    const unbounded = typeof child === "number" && Math.abs(child) >= Number.MAX_SAFE_INTEGER;
    if (unbounded && (key === "maximum" || key === "minimum")) continue;
    result[key] = published(child);
  }
  return result;
}

function fullDescription(node: SchemaNode): string {
  const parts = [node.description!];
  if (node.unit) parts.push(`Unit: ${node.unit}.`);
  if (node.defaultText) parts.push(`Default: ${node.defaultText}.`);
  if (node.paper) parts.push(`BTX paper: ${node.paper}.`);
  return parts.join(" ");
}

/** Whether a key holds keys of its own, other than names that the user chooses. */
const isSection = (node: SchemaNode): boolean => node.properties !== undefined;

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function defaultOf(node: SchemaNode): string {
  if (node.defaultText) return node.defaultText;
  if (node.default === undefined) return "none";
  return `\`${JSON.stringify(node.default).replaceAll('"', "")}\``;
}

function row(name: string, node: SchemaNode): string {
  const type = expectedText(node);
  const columns = [`\`${name}\``, type, defaultOf(node), node.unit ?? "", node.paper ?? "", node.description ?? ""];
  return `| ${columns.map(cell).join(" | ")} |`;
}

function table(keys: [string, SchemaNode][]): string[] {
  if (keys.length === 0) return [];
  const head = ["| key | value | default | unit | BTX paper | what it does |", "|---|---|---|---|---|---|"];
  return [...head, ...keys.map(([name, node]) => row(name, node)), ""];
}

/** A section's heading, its own keys, then its sections. */
function section(name: string, node: SchemaNode, heading: string): string[] {
  const lines = [`${heading} \`${name}\``, "", node.description ?? "", ""];
  const entries = Object.entries(node.properties ?? {});
  const inherits = name !== "training" && trainingKeyNames.every((key) => node.properties?.[key]);
  const own = entries.filter(
    ([key, child]) => !isSection(child) && !(inherits && (trainingKeyNames as string[]).includes(key)),
  );
  lines.push(...table(own));
  if (inherits) {
    const whose = node.properties?.learningRate?.defaultText ?? "";
    lines.push(`And any key of [\`training\`](#training); default: ${whose}.`, "");
  }
  for (const [key, child] of entries)
    if (isSection(child)) lines.push(...section(`${name}.${key}`, child, `${heading}#`));
  return lines;
}

/** The reference page of the experiment file, as Markdown. */
export function experimentReference(): string {
  const root = schemaRoot();
  const entries = Object.entries(root.properties ?? {});
  const domains = root.properties!.domains!;
  const lines = [
    "# The experiment file",
    "",
    "<!-- Generated from server/experiment/schema.ts by docs/generate.ts. Do not edit. -->",
    "",
    "One `*.btx.yaml` file describes one Branch-Train-MiX experiment (BTX, [arXiv 2403.07816](https://arxiv.org/abs/2403.07816)): a seed, one expert per domain, their mix, its finetuning, and the baselines it is compared with. Every key except `domains` is optional. `btx check FILE` reports mistakes with line and column. The same reference as a JSON schema: [experiment-file.schema.json](experiment-file.schema.json).",
    "",
    "```yaml",
    example.trimEnd(),
    "```",
    "",
    "- A number of tokens may be written `20000`, `500k`, `1.5M` or `2B`.",
    "- Paths are relative to the folder of the experiment file.",
    '- The column "BTX paper" gives the paper\'s value, if it has one; defaults differ where a small model needs another value.',
    "- Unless `warmup` is given, the warm-up takes 100 steps, but at most a tenth of the phase's steps, so that short phases warm up too. The number of steps of a phase is its tokens divided by `batch` x `context`, rounded up.",
    "- Changing a key reruns only the stages that depend on it: `mix.router.k` reruns the mix and what follows, not the experts. Renaming files or the experiment reruns nothing.",
    "- `btx run FILE --random-seed N` runs it with another `randomSeed`, so that results can be reported with their spread.",
    "- Changing `engine` or `devices` reruns nothing: a stage that is done on one device serves all others, and its `stage.json` says where it ran. `--engine` and `--device` of `btx run` and `btx resume` override them. Losses agree across devices up to rounding, and bit for bit only on the CPU.",
    "- The random seed of each stage is the first 31 bits of the SHA-256 of `randomSeed`, a colon and the stage's name.",
    "",
    "## The paper's ablations",
    "",
    "| row of the paper's tables | keys |",
    "|---|---|",
    ...ablations.map(([row, keys]) => `| ${row} | \`${keys}\` |`),
    "",
    "## Top level",
    "",
    ...table(entries.filter(([name, node]) => !isSection(node) && name !== "domains")),
  ];
  for (const [name, node] of entries) {
    if (name === "domains")
      lines.push(
        "## `domains`",
        "",
        `${domains.description} Paper: ${domains.paper}. The name of a domain must be ${expectedText(domains.propertyNames!)}.`,
        "",
        ...section("domains.<name>", domains.additionalProperties as SchemaNode, "###"),
      );
    else if (isSection(node)) lines.push(...section(name, node, "##"));
  }
  return `${lines.join("\n").trimEnd()}\n`;
}
