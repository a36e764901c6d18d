import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { type RunSummary, runSummarySchema } from "../../server/protocol/run.ts";
import type { PlannedStage } from "../../server/protocol/stage.ts";
import { modelOfStage, modelStages } from "../../server/protocol/stageKinds.ts";
import { stagePaths } from "../../server/runs/layout.ts";
import { type ExperimentFolder, experimentFolder } from "../fixtures/experiment.ts";
import { randomNumbers } from "../fixtures/run.ts";
import { type Btx, startBtx } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord, readStageRecord, runBits } from "./results.ts";

/**
 * Damage to files of run folders: random changes, and what the command then does. A change must be noticed, with a
 * sentence, or be harmless: then everything that is computed is as it would have been.
 */

export const outcomes = ["noticed", "harmless", "silently wrong", "stack trace", "hang"] as const;
export interface Outcome {
  /** Below the run folder. */
  file: string;
  change: string;
  outcome: (typeof outcomes)[number];
  /** What was said, or what differs. */
  text: string;
}

type Random = () => number;
const below = (random: Random, end: number): number => Math.floor(random() * end);

/** A changed copy of a file's bytes, and the change in words. */
export function changed(bytes: Buffer, random: Random): { bytes: Buffer; change: string } {
  for (;;) {
    const made = change(bytes, random);
    if (!made.bytes.equals(bytes)) return made;
  }
}

function change(bytes: Buffer, random: Random): { bytes: Buffer; change: string } {
  const copy = Buffer.from(bytes);
  const at = below(random, bytes.length);
  const kind = bytes.length === 0 ? "append" : random();
  if (kind === "append" || kind > 0.97)
    return { bytes: Buffer.concat([copy, Buffer.from("?")]), change: "one byte appended" };
  if (kind < 0.5) {
    const bit = below(random, 8);
    copy[at]! ^= 1 << bit;
    return { bytes: copy, change: `bit ${bit} of byte ${at} flipped` };
  }
  if (kind < 0.65) {
    copy[at] = below(random, 256);
    return { bytes: copy, change: `byte ${at} is ${copy[at]}` };
  }
  if (kind < 0.75) {
    // A digit for a digit, so that what is read is well-formed wherever it can be.
    const digits = [...copy.keys()].filter((i) => copy[i]! >= 0x30 && copy[i]! <= 0x39);
    const digit = digits[below(random, digits.length)];
    if (digit !== undefined) copy[digit] = 0x30 + below(random, 10);
    return { bytes: copy, change: `digit at ${digit}` };
  }
  if (kind < 0.85) {
    const end = Math.min(copy.length, at + 1 + below(random, 512));
    copy.fill(0, at, end);
    return { bytes: copy, change: `zeros from byte ${at} to ${end}` };
  }
  if (kind < 0.88) return { bytes: copy.fill(0), change: "all zeros" };
  if (kind < 0.94) return { bytes: copy.subarray(0, at), change: `cut to ${at} bytes` };
  const length = 1 + below(random, 64);
  const from = below(random, copy.length);
  copy.copy(copy, at, from, from + length);
  return { bytes: copy, change: `bytes from ${from} on copied to ${at}` };
}

/** A finished run that was not disturbed, and what it gives. */
export interface Reference {
  experiment: ExperimentFolder;
  run: string;
  stages: readonly PlannedStage[];
  bits: ReturnType<typeof runBits>;
  summary: RunSummary;
  samples: ReadonlyMap<string, string>;
}

/** How long a command may take before it counts as hanging, ms. */
const patience = 120_000;

async function ended(command: Btx) {
  const late = setTimeout(patience, undefined, { ref: false });
  const end = await Promise.race([command.ended, late]);
  if (!end) command.signalAll("SIGKILL");
  const { stdout, stderr, code } = end ?? { ...(await command.ended), code: null };
  return { code, stdout, stderr, hangs: !end };
}
type CommandEnd = Awaited<ReturnType<typeof ended>>;

const sampleArgs = (folder: string, model: string): string[] => [
  ...["sample", "--in", folder, "--model", model, "--prompt", "the expert", "--tokens", "12", "--temperature", "0"],
];

export async function referenceOf(experiment: ExperimentFolder): Promise<Reference> {
  const { root, folder } = experiment;
  const run = newestRun(root);
  const { stages } = readRunRecord(root, run);
  const samples = new Map<string, string>();
  for (const { name } of modelStages(stages))
    samples.set(name, (await ended(startBtx(sampleArgs(folder, modelOfStage(name))))).stdout);
  const shown = await ended(startBtx(["show", "--json", "--in", folder]));
  return { experiment, run, stages, bits: runBits(root, run), summary: summaryIn(shown), samples };
}

/** The summary in a command's output, without what differs from time to time. */
function summaryIn({ stdout }: CommandEnd): RunSummary {
  const summary = runSummarySchema.parse(JSON.parse(stdout.trim().split("\n").at(-1)!));
  const stages = summary.stages.map((stage) => ({ ...stage, seconds: 0, tokensPerSecond: 0, reused: false }));
  return { ...summary, folder: "", stages };
}

/** Files of a run folder that hold something of the run, or say who works on it. */
function filesOf(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

/** A trial: a copy of a run folder with one changed file. */
class Trial {
  readonly experiment: ExperimentFolder;
  readonly file: string;
  readonly change: string;
  readonly #reference: Reference;
  readonly #path: string;
  readonly #original: Buffer;
  readonly #changed: Buffer;

  constructor(reference: Reference, { root, stage }: TrialOptions, random: Random, folder: string) {
    this.#reference = reference;
    this.experiment = experimentFolder(folder);
    cpSync(root, this.experiment.root, { recursive: true, preserveTimestamps: true });
    const all = filesOf(root);
    const ofStage = all.filter((name) => stage !== undefined && name.includes(stage.key));
    const files = ofStage.length > 0 && random() < 0.7 ? ofStage : all;
    this.file = files[below(random, files.length)]!;
    this.#path = join(this.experiment.root, this.file);
    this.#original = readFileSync(this.#path);
    const made = changed(this.#original, random);
    this.#changed = made.bytes;
    writeFileSync(this.#path, this.#changed);
    this.change = made.change;
    // A lock that names no process of this machine would be waited for until it is a minute old.
    for (const name of all.filter((one) => /lock\.\d+$/.test(one))) utimesSync(join(this.experiment.root, name), 0, 0);
  }

  /** The stage that the changed file belongs to. */
  get stage(): PlannedStage | undefined {
    const key = /^stages\/([0-9a-f]+)\//.exec(this.file.split(sep).join("/"))?.[1];
    return this.#reference.stages.find((stage) => stage.key === key);
  }

  /** Removes a stage that is made of the one with the changed file, so that it is made again. */
  removeChild(random: Random): void {
    const name = this.stage?.name;
    const children = this.#reference.stages.filter(({ parents }) => Object.values(parents).includes(name ?? ""));
    const child = children[below(random, children.length)];
    if (child) rmSync(stagePaths(this.experiment.root, child.key).folder, { recursive: true });
  }

  async outcome(): Promise<Outcome> {
    const { folder } = this.experiment;
    const { file, change, stage } = this;
    const made = (outcome: Outcome["outcome"], text: string): Outcome => ({ file, change, outcome, text });
    const commands = [["resume", "--json", "--in", folder]];
    if (stage && modelStages([stage]).length > 0) commands.push(sampleArgs(folder, modelOfStage(stage.name)));
    let said = "";
    let differs = "";
    for (const args of commands) {
      const end = await ended(startBtx(args));
      const text = `${end.stdout}\n${end.stderr}`;
      if (end.hangs) return made("hang", `btx ${args[0]}`);
      if (/\n\s+at .+:\d+/.test(text.replaceAll("\\n", "\n"))) return made("stack trace", text.slice(-3000));
      const sentence = sentenceIn(end);
      if (sentence !== undefined) said ||= sentence;
      else differs ||= args[0] === "resume" ? this.#difference(end) : this.#sampleDifference(end);
    }
    // What goes on without a word must be right, whatever else is said elsewhere.
    if (differs !== "") return made("silently wrong", differs);
    if (said !== "") return made("noticed", said);
    const verified = await ended(startBtx(["verify", "--in", folder]));
    if (verified.hangs) return made("hang", "btx verify");
    if (/\n\s+at .+:\d+/.test(verified.stderr)) return made("stack trace", verified.stderr);
    if (verified.code !== 0) return made("noticed", `verify: ${verified.stdout}${verified.stderr}`);
    return made("harmless", "");
  }

  /** What a resumed run has computed that differs from the undisturbed one. */
  #difference(end: CommandEnd): string {
    const { bits, run, summary } = this.#reference;
    // What nobody has written since is compared as it was: the rest must be the same.
    const isLeft = existsSync(this.#path) && readFileSync(this.#path).equals(this.#changed);
    if (isLeft) writeFileSync(this.#path, this.#original);
    try {
      const found = runBits(this.experiment.root, run);
      for (const [name, expected] of Object.entries(bits)) {
        const given = found[name];
        for (const [path, hash] of Object.entries(expected.files))
          if (given?.files[path] !== hash) return `${path} of ${name} differs`;
        if (!isDeepStrictEqual(given?.result, expected.result)) return `the result of ${name} differs`;
        if (!isDeepStrictEqual(given?.metrics, expected.metrics)) return `the metrics of ${name} differ`;
      }
      return isDeepStrictEqual(summaryIn(end), summary) ? "" : "the summary differs";
    } catch (error) {
      return String(error);
    } finally {
      if (isLeft) writeFileSync(this.#path, this.#changed);
    }
  }

  #sampleDifference({ stdout }: CommandEnd): string {
    return stdout === this.#reference.samples.get(this.stage?.name ?? "") ? "" : `the sample is ${stdout}`;
  }
}

/** What a command says went wrong; undefined if it says nothing. */
function sentenceIn({ code, stdout, stderr }: CommandEnd): string | undefined {
  const messages = stdout.split("\n").filter((line) => /"error":|"event":"message"|is damaged/.test(line));
  const text = [stderr.trim(), ...messages].filter((one) => one !== "").join("\n");
  if (code !== 0) return text || undefined;
  return /is damaged/.test(text) ? text : undefined;
}

export interface TrialOptions {
  /** Root of the run folder that is copied: finished, or of a run that was killed. */
  root: string;
  /** Random seed of the trial. */
  seed: number;
  /** The stage that was killed, whose files are changed more often than others. */
  stage?: PlannedStage;
}

/** Changes a random file in a copy of a run folder, and tries what the command does. */
export async function tryChange(reference: Reference, options: TrialOptions): Promise<Outcome> {
  const random = randomNumbers(options.seed);
  const folder = mkdtempSync(join(tmpdir(), "btx-damage-"));
  try {
    const trial = new Trial(reference, options, random, folder);
    if (!options.stage) trial.removeChild(random);
    return await trial.outcome();
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/** Stages that are killed: one of each kind of work. */
export const killedStages: readonly string[] = [
  ...["data", "seed", "expert:words", "mix", "average", "finetune", "dense", "upcycling"],
  ...["evaluate:seed", "evaluate:finetune", "btm:tf-idf:1"],
];

/** How often a stage that ended before it could be killed is tried again. */
const tries = 40;

/** Copies a finished run into `folder` and makes a stage of it again, killing all processes while that works. */
export async function killedIn(reference: Reference, name: string, folder: string): Promise<PlannedStage> {
  const { root } = experimentFolder(folder);
  const stage = reference.stages.find((one) => one.name === name)!;
  for (let attempt = 0; attempt < tries; attempt++) {
    rmSync(root, { recursive: true, force: true });
    cpSync(reference.experiment.root, root, { recursive: true, preserveTimestamps: true });
    const gone = new Set([name]);
    for (const { name: one, parents } of reference.stages)
      if (Object.values(parents).some((parent) => gone.has(parent))) gone.add(one);
    for (const one of reference.stages)
      if (gone.has(one.name)) rmSync(stagePaths(root, one.key).folder, { recursive: true });
    const command = startBtx(["resume", "--json", "--in", folder], { env: { BTX_CHECKPOINT_SECONDS: "0" } });
    const trains = "phases" in stage.spec;
    const begun = () =>
      trains
        ? readMetrics(root, stage.key).length > 5 && existsSync(stagePaths(root, stage.key).state)
        : readStageRecord(root, stage.key)?.status === "running";
    while (command.process.exitCode === null && !begun()) await setImmediate();
    command.signalAll("SIGKILL");
    await command.ended;
    if (readStageRecord(root, stage.key)?.status === "running") return stage;
  }
  throw new Error(`${name} could not be killed in ${tries} tries`);
}
