import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Json, readPlain, readRun, stageFolder } from "./build.ts";

/** What differs between a run of one build and the same run of another: in weights, metrics, routing and results, to the bit. */

/** What is timed, or says when and where: it differs between two runs of one build. */
const volatile = new Set([
  ...["seconds", "tokensPerSecond", "memory", "started", "created", "finished", "id", "run", "folder"],
]);
/** Files of a stage that hold such things, or are gone when it is done. */
const volatileFile = /^(log\.txt|lock\.\d+|metrics\.cache|working\.json|progress\.json|stage\.json|metrics\.jsonl)$/;

export class Differences {
  /** What must be equal and is not. */
  readonly different: string[] = [];
  /** Keys and columns that only one side has. */
  readonly onlyOneHas = new Set<string>();
  /** Values and files that were compared. */
  compared = 0;

  add(what: string): void {
    this.different.push(what);
  }

  /** Compares two JSON values, but for what is timed. Keys that only one side has are listed. */
  values(before: Json, after: Json, at: string): void {
    const isObject = (value: Json): boolean => typeof value === "object" && value !== null;
    if (!isObject(before) || !isObject(after)) {
      this.compared++;
      if (!Object.is(before, after)) this.add(`${at}: ${JSON.stringify(before)} is now ${JSON.stringify(after)}`);
      return;
    }
    if (Array.isArray(before) && before.length !== after.length)
      this.add(`${at}: ${before.length} entries are now ${after.length}`);
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      if (volatile.has(key)) continue;
      const path = `${at}.${Array.isArray(before) ? "*" : key}`;
      // Sentences for people, which may be worded better.
      if (key === "notes") this.values(before[key]?.length, after[key]?.length, `${path}.length`);
      else if (!(key in before)) this.onlyOneHas.add(`after: ${path}`);
      else if (!(key in after)) this.onlyOneHas.add(`before: ${path}`);
      else this.values(before[key], after[key], `${at}.${key}`);
    }
  }

  /** Compares the lines of two `metrics.jsonl`. */
  metrics(before: Json[], after: Json[], at: string): void {
    if (before.length !== after.length) this.add(`${at}: ${before.length} steps are now ${after.length}`);
    for (const [i, line] of after.entries()) {
      const old = before[i];
      if (old === undefined) continue;
      // A loss of its own was a part of `loadBalance` once. Both are sums in float32, added up in another order.
      const split = line.zLoss !== undefined && old.zLoss === undefined;
      const joined = split ? { ...line, loadBalance: (line.loadBalance ?? 0) + line.zLoss } : line;
      if (split && Math.abs(joined.loadBalance - old.loadBalance) <= 1e-6 * Math.abs(old.loadBalance))
        joined.loadBalance = old.loadBalance;
      this.values(old, joined, `${at} step ${old.step}`);
    }
    for (const path of this.onlyOneHas)
      if (/ step \d+\./.test(path)) {
        this.onlyOneHas.delete(path);
        this.onlyOneHas.add(path.replace(/ step \d+\./, " column "));
      }
  }

  /** Compares a stage of the experiments in two folders. */
  stage(folders: [before: string, after: string], key: string, name: string): void {
    const [before, after] = folders.map((folder) => stageFolder(folder, key)) as [string, string];
    if (![before, after].every((folder) => existsSync(join(folder, "stage.json")))) {
      this.add(`${name}: stage ${key} is missing`);
      return;
    }
    const text = (stage: string, file: string): string =>
      readPlain(join(stage, file), stage === before ? folders[0] : folders[1]);
    const records = [before, after].map((stage) => JSON.parse(text(stage, "stage.json")));
    const identity = ({ kind, key, parents, spec, status }: Json): string =>
      JSON.stringify({ kind, key, parents, spec, status });
    if (identity(records[0]) !== identity(records[1])) this.add(`${name}: stage.json has another identity`);
    this.values(records[0].result, records[1].result, `${name} result`);
    this.metrics(readMetrics(before), readMetrics(after), name);
    const [old, now] = [filesIn(before), filesIn(after)];
    for (const file of new Set([...old, ...now])) {
      if (!old.includes(file)) this.onlyOneHas.add(`after: ${name} ${file}`);
      else if (!now.includes(file)) this.add(`${name}: ${file} is missing`);
      else if (file === "index.json") this.values(index(text(before, file)), index(text(after, file)), `${name} index`);
      else if (hash(before, file) !== hash(after, file)) this.add(`${name}: ${file} has other bytes`);
      this.compared++;
    }
  }

  /** Compares two runs: the plan, and every stage. `seen` are keys of stages that were compared already. */
  run(before: [folder: string, id: string], after: [folder: string, id: string], seen = new Set<string>()): void {
    const plan = ([folder, id]: [string, string]): Json[] => readRun(folder, id).stages;
    const [old, now] = [plan(before), plan(after)];
    if (JSON.stringify(old) !== JSON.stringify(now)) this.add("run.json has another plan: other stages, keys or specs");
    for (const { name, key } of old) {
      if (seen.has(key)) continue;
      seen.add(key);
      this.stage([before[0], after[0]], key, name);
    }
  }
}

/** Of the data stage, without the hash of its spec, which has the paths of texts in it. */
const index = (text: string): Json => ({ ...JSON.parse(text), spec: undefined });

export function readMetrics(stage: string): Json[] {
  const path = join(stage, "metrics.jsonl");
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => !volatileFile.test(name) && statSync(join(folder, name)).isFile())
    .sort();

/** Hash of what a file says, without what only guards it: digests of its own, and metadata of safetensors. */
function hash(folder: string, file: string): string {
  const bytes = readFileSync(join(folder, file));
  return createHash("sha256").update(contentOf(file, bytes)).digest("hex");
}

function contentOf(file: string, bytes: Buffer): Buffer {
  if (file.endsWith(".json")) {
    const { digest: _, ...json } = JSON.parse(bytes.toString());
    // The order of keys says nothing, and in `config.json` null is as good as no key.
    const given = Object.entries(json).filter(([, value]) => value !== null);
    return Buffer.from(JSON.stringify(given.sort()));
  }
  if (!file.endsWith(".safetensors")) return bytes;
  const end = 8 + Number(bytes.readBigUInt64LE());
  const { __metadata__: _, ...tensors } = JSON.parse(bytes.toString("utf8", 8, end));
  return Buffer.concat([Buffer.from(JSON.stringify(tensors)), bytes.subarray(end)]);
}
