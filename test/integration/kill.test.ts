import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { stagePaths } from "../../server/runs/layout.ts";
import type { ExperimentFolder } from "../fixtures/experiment.ts";
import { randomNumbers } from "../fixtures/run.ts";
import { type Btx, btxSummary, stageEvent, startBtx } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord, readStageRecord, runBits } from "./results.ts";
import { finishedExperiment, tinyExperiment } from "./scratch.ts";

/** SIGKILL of the runner and all stage processes at once, at twenty moments, then `btx resume`. */

/**
 * When to kill: while a stage's process starts; at any moment of its work; after a random training step; or while a
 * file whose name matches is being written.
 */
type Moment = "start" | "work" | "step" | RegExp;
const stateWrite = /^state\.safetensors\.tmp-/;
const checkpointWrite = /^checkpoint\.tmp-/;
const tokensWrite = /\.tokens\.tmp-[\w-]+$/;

const moments: [stage: string, moment: Moment][] = [
  ["data", "start"],
  // Before the moments at work: the name of these temporary files is always the same, so one left behind would be taken for it.
  ["data", tokensWrite],
  ["data", "work"],
  ["seed", "work"],
  ["seed", "step"],
  ["seed", stateWrite],
  ["expert:words", "step"],
  ["expert:sums", stateWrite],
  ["average", "work"],
  ["mix", "work"],
  ["mix", checkpointWrite],
  ["dense", "work"],
  ["finetune", "start"],
  ["finetune", stateWrite],
  ["finetune", checkpointWrite],
  ["upcycling", stateWrite],
  ["upcycling", "step"],
  ["evaluate:finetune", "work"],
  ["evaluate:upcycling", "work"],
  ["btm:bayes:2", "work"],
];

const holdRename = new URL("./holdRename.mjs", import.meta.url);

/** Tries for one moment: some pass before the signal arrives, those of a few milliseconds mostly. */
const tries = 40;
const randomSeed = Number(process.env.BTX_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** A checkpoint after every step. */
const env = { BTX_CHECKPOINT_SECONDS: "0" };

interface Kill {
  stage: string;
  moment: string;
  /** Stages whose processes died at work. */
  hit: string[];
  /** Files that were being written. */
  torn: string[];
}

/** Takes an experiment to its end under kills. */
class Killer {
  readonly #experiment: ExperimentFolder;
  /** Where the same experiment was run undisturbed. */
  readonly #reference: string;
  readonly #random = randomNumbers(randomSeed);
  readonly kills: Kill[] = [];

  constructor(experiment: ExperimentFolder, reference: string) {
    this.#experiment = experiment;
    this.#reference = reference;
  }

  /** Kills everything once while `stage` is at `moment`. */
  async killAt(stage: string, moment: Moment): Promise<void> {
    const { key } = readRunRecord(this.#reference, newestRun(this.#reference)).stages.find(
      ({ name }) => name === stage,
    )!;
    for (let attempt = 0; attempt < tries; attempt++) {
      // Done before its turn, or before the signal arrived. A stage's folder may be removed: then it is done again.
      if (this.#record(key)?.status === "done")
        rmSync(stagePaths(this.#experiment.root, key).folder, { recursive: true });
      if (await this.#attempt(stage, key, moment)) return;
    }
    throw new Error(`${stage} could not be killed at ${moment} in ${tries} tries; ${this.story}`);
  }

  get story(): string {
    return `random seed ${randomSeed}\n${this.kills.map((kill) => JSON.stringify(kill)).join("\n")}`;
  }

  async #attempt(stage: string, key: string, moment: Moment): Promise<boolean> {
    const { file, folder, root } = this.#experiment;
    const before = { torn: this.#torn(), started: this.#started() };
    const args = existsSync(join(root, "runs")) ? ["resume"] : ["run", file];
    const held = moment instanceof RegExp ? this.#holdAt(key, moment) : {};
    const command = startBtx([...args, "--json"], { cwd: folder, env: { ...env, ...held } });
    await command.line(stageEvent(stage, "running"));
    await this.#await(stage, key, moment, before.started.get(stage), command);
    command.signalAll("SIGKILL");
    const { signal } = await command.ended;
    const began = [...this.#started()].filter(([name, time]) => time !== before.started.get(name));
    const kill: Kill = {
      stage,
      moment: String(moment),
      hit: began.filter(([name]) => this.#statuses().get(name) === "running").map(([name]) => name),
      torn: this.#torn().filter((name) => !before.torn.includes(name)),
    };
    if (signal === "SIGKILL") this.kills.push(kill);
    if (moment === "start") return signal === "SIGKILL";
    if (moment instanceof RegExp)
      return kill.torn.some((name) => name.startsWith(`${stage}/`) && moment.test(name.slice(stage.length + 1)));
    return kill.hit.includes(stage);
  }

  async #await(
    stage: string,
    key: string,
    moment: Moment,
    startedBefore: string | undefined,
    command: Btx,
  ): Promise<void> {
    const over = () =>
      command.process.exitCode !== null || command.lines.some((line) => stageEvent(stage, "done")(line));
    const happens = async (condition: () => boolean) => {
      while (!over() && !condition()) await setImmediate();
    };
    if (moment === "start") return setTimeout(this.#random() * 250);
    await happens(() => (this.#record(key)?.started ?? startedBefore) !== startedBefore);
    if (moment === "work") {
      const { seconds } = readStageRecord(this.#reference, key)!;
      return setTimeout(this.#random() * 800 * seconds);
    }
    if (moment === "step") {
      const steps = () => readMetrics(this.#experiment.root, key).length;
      const wanted = steps() + 1 + Math.floor(this.#random() * 6);
      return happens(() => steps() >= wanted);
    }
    return happens(() => existsSync(this.#held));
  }

  /** Lets the stage come to rest in the middle of writing a file: by time alone a fast machine is never met there. */
  #holdAt(key: string, name: RegExp): Record<string, string> {
    rmSync(this.#held, { force: true });
    const { folder } = stagePaths(this.#experiment.root, key);
    const nth = name === stateWrite ? 1 + Math.floor(this.#random() * 4) : 1;
    const hold = { folder, name: name.source, nth, part: this.#random(), held: this.#held };
    return { NODE_OPTIONS: `--import=${holdRename}`, BTX_TEST_HOLD: JSON.stringify(hold) };
  }

  get #held(): string {
    return join(this.#experiment.folder, "held");
  }

  #record(key: string) {
    return readStageRecord(this.#experiment.root, key);
  }

  #stages() {
    const { root } = this.#experiment;
    return existsSync(join(root, "runs")) ? readRunRecord(root, newestRun(root)).stages : [];
  }

  #statuses(): Map<string, string | undefined> {
    return new Map(this.#stages().map(({ name, key }) => [name, this.#record(key)?.status]));
  }

  /** When each stage's process last began to work. */
  #started(): Map<string, string | undefined> {
    return new Map(this.#stages().map(({ name, key }) => [name, this.#record(key)?.started]));
  }

  #torn(): string[] {
    return this.#stages().flatMap(({ name, key }) =>
      filesIn(stagePaths(this.#experiment.root, key).folder)
        .filter((file) => /\.tmp(-[\w-]+)?$/.test(file))
        .map((file) => `${name}/${file}`),
    );
  }
}

const filesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    // A folder below was renamed or removed while it was read.
    return [];
  }
};

describe("after SIGKILL of all processes, `btx resume`", () => {
  let reference: ExperimentFolder;
  let killed: ExperimentFolder;
  let killer: Killer;

  beforeAll(async () => {
    reference = finishedExperiment();
    killed = tinyExperiment();
    killer = new Killer(killed, reference.root);
    for (const [stage, moment] of moments) await killer.killAt(stage, moment);
    await btxSummary(["resume"], { cwd: killed.folder, env });
  }, 600_000);

  it("gives the bits of an undisturbed run: weights, training losses, routing and evaluations", () => {
    const [expected, found] = [reference, killed].map(({ root }) => runBits(root, newestRun(root)));
    expect(Object.keys(found!), killer.story).toEqual(Object.keys(expected!));
    for (const [stage, bits] of Object.entries(expected!)) {
      expect(bits.status, stage).toBe("done");
      expect(found![stage], `stage ${stage}, ${killer.story}`).toEqual(bits);
    }
  });

  it("leaves nothing of the killed processes behind", () => {
    const left = readdirSync(killed.root, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.includes(".tmp"),
    );
    expect(left, killer.story).toEqual([]);
  });

  it("was put to the test in every kind of stage, and in the middle of writing files", () => {
    expect(killer.kills.length, killer.story).toBeGreaterThanOrEqual(moments.length);
    const hit = killer.kills.flatMap((kill) => kill.hit);
    for (const kind of [
      "data",
      "seed",
      "expert:",
      "average",
      "mix",
      "finetune",
      "dense",
      "upcycling",
      "evaluate:",
      "btm:",
    ])
      expect(
        hit.some((name) => name.startsWith(kind)),
        `${kind}, ${killer.story}`,
      ).toBe(true);
    const torn = killer.kills.flatMap((kill) => kill.torn);
    for (const name of ["/state.safetensors.tmp-", "/checkpoint.tmp-", ".tokens.tmp"])
      expect(
        torn.some((file) => file.includes(name)),
        `${name}, ${killer.story}`,
      ).toBe(true);
  });
});
