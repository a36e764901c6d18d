import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Build, readRun, stageFolder } from "./builds/build.ts";
import { type Case, cases, fileOf, writeCases } from "./builds/cases.ts";
import { Differences, readMetrics } from "./builds/differences.ts";

/**
 * `npm run bench -- sameBits BEFORE [AFTER] [--only TEXT] [--keep]`: whether two builds, folders with `dist/btx.js` each,
 * compute the same to the last bit: weights, metrics, routing records, evaluations, keys, `btx show` and `compare` as JSON,
 * sampled text. AFTER is this folder if left out. `--only` takes the cases whose name contains a text, `--keep` keeps the
 * two scratch folders. Exits with 1 at a difference.
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, keep: { type: "boolean" } },
});
const [before, after = "."] = positionals;
if (before === undefined) throw new Error("name the folder of the build to compare with");

const [first, ...others] = cases as [Case, ...Case[]];
const only = values.only;
const chosen = [first, ...(only === undefined ? others : others.filter(({ name }) => name.includes(only)))];
const scratch = mkdtempSync(join(tmpdir(), "btx-same-bits-"));
const sides = [new Build("before", before), new Build("after", after)].map((build) => {
  const folder = join(scratch, build.name);
  mkdirSync(folder);
  writeCases(folder, chosen);
  return { build, folder };
});
type Side = (typeof sides)[number];
/** Both builds at once. */
const both = async <T>(work: (side: Side) => Promise<T>): Promise<[T, T]> =>
  (await Promise.all(sides.map(work))) as [T, T];

const seen = new Set<string>();
const rows: { name: string; differences: Differences }[] = [];
const began = performance.now();

async function compared(name: string, compare: (differences: Differences) => Promise<void>): Promise<void> {
  const differences = new Differences();
  await compare(differences).catch((error: Error) => differences.add(error.message));
  rows.push({ name, differences });
  const { different, compared: count } = differences;
  console.log(`${different.length === 0 ? "equal    " : "DIFFERENT"} ${name.padEnd(34)} ${count} values and files`);
  for (const line of different.slice(0, 8)) console.log(`            ${line}`);
  if (different.length > 8) console.log(`            and ${different.length - 8} more`);
}

const [old, now] = sides as [Side, Side];
const runOf = new Map<string, [string, string]>();
for (const one of chosen) {
  await compared(one.name, async (differences) => {
    const ids = await both(({ build, folder }) => build.experiment(fileOf(one), folder));
    runOf.set(one.name, ids);
    differences.run([old.folder, ids[0]], [now.folder, ids[1]], seen);
    const { reaches } = one;
    if (reaches === undefined) return;
    const { key } = readRun(old.folder, ids[0]).stages.find(({ name }: { name: string }) => name === "finetune");
    if (!readMetrics(stageFolder(old.folder, key)).some((line) => line[reaches] > 0))
      differences.add(`no step of the finetuning has \`${reaches}\` above 0`);
  });
}

// The seed of the first run as a checkpoint that another experiment begins with.
await compared("seed.from a checkpoint", async (differences) => {
  const file = "from.btx.yaml";
  const ids = await both(({ build, folder }) => {
    const [run] = runOf.get(first.name) ?? [];
    if (run === undefined) throw new Error("there is no first run");
    const { key } = readRun(old.folder, run).stages.find(({ name }: { name: string }) => name === "seed");
    cpSync(join(stageFolder(folder, key), "checkpoint"), join(folder, "begin"), { recursive: true });
    writeCases(folder, [
      { name: "from", sections: { model: "{context: 40}", tokenizer: undefined, seed: "{from: begin}" } },
    ]);
    return build.experiment(file, folder);
  });
  differences.run([old.folder, ids[0]], [now.folder, ids[1]], seen);
});

await compared("btx show --json", async (differences) => {
  for (const [, ids] of runOf) {
    const [a, b] = await both((side) => side.build.json(["show", ids[sides.indexOf(side)]!], side.folder));
    differences.values(a, b, "show");
  }
});

await compared("btx compare", async (differences) => {
  const [a, b] = await both(({ build, folder }) =>
    build.json(["compare", ...[...runOf.values()].map((ids) => ids[folder === old.folder ? 0 : 1])], folder),
  );
  differences.values(a, b, "compare");
  const table = ({ folder }: Side): string[][] =>
    readFileSync(join(folder, ".btx/compare/comparison.csv"), "utf8")
      .split("\n")
      // A cell in quotes may hold commas.
      .map((line) => line.match(/(?:"(?:[^"]|"")*"|[^,"]+|(?<=,|^)(?=,|$))/g) ?? []);
  const [rowsBefore, rowsAfter] = [table(old), table(now)];
  const timed = rowsBefore[0]!.indexOf("device_seconds");
  for (const row of [...rowsBefore.slice(1), ...rowsAfter.slice(1)]) if (row.length > timed) row[timed] = "";
  differences.values(rowsBefore, rowsAfter, "comparison.csv");
});

await compared("btx sample", async (differences) => {
  // One run a kind of router, and those with experts of parts.
  const sampled = ["top-k and all baselines", "switch, dropped tokens", "sample top-1", "soft", "blend: true"];
  for (const [name, ids] of [...runOf].filter(([name]) => sampled.includes(name)))
    for (const drawing of [[], ["--temperature", "0.8", "--top-p", "0.9", "--random-seed", "3"]]) {
      const [a, b] = await both(async (side) => {
        const id = ids[sides.indexOf(side)]!;
        const args = ["sample", id, "--prompt", "branch", "--tokens", "30", ...drawing];
        return (await side.build.run(args, side.folder)).stdout;
      });
      differences.values(a, b, `${name}: sample`);
    }
});

const onlyOneHas = new Set(rows.flatMap(({ differences }) => [...differences.onlyOneHas]));
if (onlyOneHas.size > 0) console.log(`only one side has:\n  ${[...onlyOneHas].sort().join("\n  ")}`);
const failed = rows.filter(({ differences }) => differences.different.length > 0);
console.log(
  `${rows.length - failed.length} equal, ${failed.length} different; ${Math.round((performance.now() - began) / 1000)} s`,
);
if (values.keep) console.log(scratch);
else rmSync(scratch, { recursive: true, force: true });
process.exitCode = failed.length === 0 ? 0 : 1;
