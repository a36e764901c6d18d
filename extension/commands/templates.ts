/** Templates for new experiment files. */

export interface Domain {
  name: string;
  /** Folder, glob or file, relative to the experiment file. */
  files: string;
}

export interface Template {
  label: string;
  detail: string;
  /** The template's files: name without `.btx.yaml`, and text. The first is opened. */
  files(name: string, domains: readonly Domain[]): { name: string; text: string }[];
}

const section = (domains: readonly Domain[]): string =>
  domains.map(({ name, files }) => `  ${name}: {files: ${JSON.stringify(files)}}\n`).join("");

const minimal = (
  domains: readonly Domain[],
): string => `# The minimum for an experiment: domains of text. All other keys have defaults; hover over a key to see what it does.
model:     {layers: 4, hidden: 128, heads: 4, context: 128}
domains:
${section(domains)}seed:      {tokens: 1M}       # on all domains
experts:   {tokens: 500k}     # one per domain, in parallel
mix:       {router: {type: top-k, k: 2}}
finetune:  {tokens: 500k}
`;

const paper = (
  domains: readonly Domain[],
): string => `# Branch-Train-MiX as in the paper (arXiv 2403.07816), but small: top-2 routing with load balancing, the seed as one
# more expert, and the baselines to compare with.
model:     {layers: 4, hidden: 128, heads: 4, kvHeads: 2, ffn: 352, context: 128}
tokenizer: {type: bpe, vocab: 1024}
training:  {batch: 16, learningRate: 3e-3}
domains:
${section(domains)}seed:      {tokens: 1M}
experts:   {tokens: 500k, learningRate: 2e-3}
mix:       {experts: [${[...domains.map(({ name }) => name), "seed"].join(", ")}], router: {type: top-k, k: 2, loadBalance: 0.01}}
finetune:  {tokens: 500k, learningRate: 1.5e-3}
evaluate:  {tokens: 16k}
compare:   [average, dense, upcycling, upcycling-compute, btm]
`;

/** Routers of the paper's ablation; `name` becomes part of the file name. */
const routers: readonly (readonly [name: string, about: string, keys: string])[] = [
  ["top-2", "top-2 with load balancing", "{type: top-k, k: 2, loadBalance: 0.01}"],
  ["no-balance", "top-2 without load balancing", "{type: top-k, k: 2, balance: none}"],
  ["switch", "Switch, top-1 with a capacity", "{type: switch, capacity: 1.5, balance: none}"],
  ["sample", "top-1, sampled", "{type: sample-top-1, balance: none}"],
  ["soft", "all experts, weighted", "{type: soft, balance: none}"],
];

const ablation = (
  domains: readonly Domain[],
  about: string,
  router: string,
): string => `# One router of an ablation: ${about}. The files of the ablation differ only in \`mix.router\`, so they share
# the seed and experts, which are trained once. Compare their runs with "BTX Studio: Compare Runs...".
model:     {layers: 4, hidden: 128, heads: 4, kvHeads: 2, ffn: 352, context: 128}
tokenizer: {type: bpe, vocab: 1024}
training:  {batch: 16, learningRate: 3e-3}
domains:
${section(domains)}seed:      {tokens: 1M}
experts:   {tokens: 500k, learningRate: 2e-3}
mix:       {router: ${router}}
finetune:  {tokens: 500k, learningRate: 1.5e-3}
`;

export const templates: readonly Template[] = [
  {
    label: "Minimal",
    detail: "Only domains; defaults for everything else",
    files: (name, domains) => [{ name, text: minimal(domains) }],
  },
  {
    label: "As in the paper, with baselines",
    detail:
      "Top-2 routing with load balancing, compared with averaging, dense training, sparse upcycling and Branch-Train-Merge",
    files: (name, domains) => [{ name, text: paper(domains) }],
  },
  {
    label: "Router ablation",
    detail: `${routers.length} files that differ in the router and share the seed and experts`,
    files: (name, domains) =>
      routers.map(([word, about, keys]) => ({ name: `${name}-${word}`, text: ablation(domains, about, keys) })),
  },
];

/** A domain name made from a folder's: letters, digits, `_` and `-`, starting with a letter, and not `taken`. */
export function domainName(folder: string, taken: readonly string[]): string {
  const plain = (folder.split("/").at(-1) ?? "").replaceAll(/[^\w-]+/g, "-").replace(/^[^A-Za-z]+/, "");
  const name = plain.replace(/-+$/, "").slice(0, 60) || "domain";
  const used = (candidate: string): boolean => ["seed", "mean", ...taken].includes(candidate);
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? name : `${name}-${count}`;
    if (!used(candidate)) return candidate;
  }
}

/** The folders as domains with distinct names. */
export function domainsOf(folders: readonly string[]): Domain[] {
  const domains: Domain[] = [];
  for (const files of folders)
    domains.push({
      name: domainName(
        files,
        domains.map(({ name }) => name),
      ),
      files,
    });
  return domains;
}
