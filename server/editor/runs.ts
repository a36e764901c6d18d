import { existsSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";
import { readBounded, readPiece } from "../disk/open.ts";
import { parseExperiment } from "../experiment/parse.ts";
import type { Experiment } from "../experiment/resolve.ts";
import type { RunReference } from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";
import { maxExperimentBytes } from "../protocol/run.ts";
import { expertStage } from "../protocol/stageKinds.ts";
import { runPaths, runRoot } from "../runs/layout.ts";
import { readRun, requireRun } from "../runs/runs.ts";
import { stopRun } from "../runs/stop.ts";
import type { Answers } from "./answers.ts";
import { launchResume, launchRun, runnerLog } from "./launch.ts";
import type { RunWatch } from "./runWatch.ts";

/** Answers requests about runs; starts and stops runs. */
export function serveRuns(answers: Answers, watch: RunWatch): void {
  answers.to("btx/startRun", async ({ file, cores, randomSeed, stage }) => {
    if (!file.endsWith(".btx.yaml")) throw new UserError(`${basename(file)} is not an experiment file (*.btx.yaml)`);
    if (!existsSync(file)) throw new UserError(`there is no file ${file}: save it first`);
    const root = runRoot(file);
    const options = [...option("cores", cores), ...option("random-seed", randomSeed), ...option("stage", stage)];
    const run = await launchRun(root, file, options);
    await watch.check();
    return { root, run };
  });
  answers.to("btx/resumeRun", async ({ root, run, cores }) => {
    await resume({ root, run }, cores);
    await watch.check();
    return { root, run };
  });
  answers.to("btx/stopRun", async ({ root, run }) => ({ running: (await stopRun(root, run)).length > 0 }));
  answers.to("btx/watchRuns", ({ files }) => watch.watch(rootsOf(files)));
  answers.to("btx/listStages", async (reference) => ({ stages: await watch.stages(reference) }));
  answers.to("btx/runLog", ({ root, run, offset }) => runLog({ root, run }, offset));
  answers.to("btx/stageNames", async ({ file }) => {
    const { experiment, problems } = parseExperiment(
      (await readBounded(file, maxExperimentBytes)).toString("utf8"),
      file,
    );
    if (experiment) return { stages: stageNames(experiment) };
    throw new UserError(`${basename(file)} has mistakes: ${problems[0]?.message}`);
  });
}

/** The run folders of experiment files, each once. */
const rootsOf = (files: string[]): string[] => [...new Set(files.map(runRoot))];

const option = (name: string, value: number | string | undefined): string[] =>
  value === undefined ? [] : [`--${name}=${value}`];

/** Resumes a run. @throws UserError if it does not exist or is already running. */
export async function resume({ root, run }: RunReference, cores: number | undefined): Promise<void> {
  await waitUntilIdle({ root, run });
  await requireRun(root, run);
  await launchResume(root, run, option("cores", cores));
}

/** Time an ended run has to write its report and exit, ms. */
const maxEnding = 15_000;

/** Waits for the runner of a run that has just ended. @throws UserError if the run is still running. */
export async function waitUntilIdle({ root, run }: RunReference): Promise<void> {
  const { folder } = runPaths(root, run);
  for (const until = performance.now() + maxEnding; ; await setTimeout(50)) {
    const found = await readRun(folder);
    if (!found?.holder) return;
    const { pid, host } = found.holder;
    if (found.record.status === "running" || performance.now() > until)
      throw new UserError(`run ${run} is running, as process ${pid} on ${host}: stop it first`);
  }
}

/** Maximum part of a log returned at once, bytes. */
const maxLog = 256 * 1024;

async function runLog({ root, run }: RunReference, offset: number) {
  // Read the state first: if the run has ended, its log is complete.
  const { state } = await requireRun(root, run);
  const piece = await readPiece(runnerLog(root, run), offset, maxLog).catch(() => Buffer.alloc(0));
  // An incomplete character is sent with the next chunk.
  const end = wholeCharacters(piece);
  return { text: piece.toString("utf8", 0, end), offset: offset + end, state };
}

/** Bytes up to the end of the last complete UTF-8 character. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

export interface StageName {
  /** As `btx run --stage` takes it. */
  name: string;
  /** Description for people. */
  does: string;
}

/** What an experiment can be run up to, without reading its texts. */
export function stageNames({ domains, compare }: Experiment): StageName[] {
  const names = [...domains.keys()];
  const stages: StageName[] = [
    { name: "seed", does: "the model all experts start from" },
    { name: "experts", does: `all experts: ${names.join(", ")}` },
    ...names.map((name) => ({ name: expertStage(name), does: `the expert of ${name}` })),
    { name: "mix", does: "the experts mixed, not finetuned" },
    { name: "finetune", does: "the finetuned Mixture-of-Experts" },
    { name: "evaluate:finetune", does: "its held-out loss" },
  ];
  const baselines = compare.filter((name) => name !== "btm");
  if (compare.length > 0) stages.push({ name: "compare", does: `all baselines: ${compare.join(", ")}` });
  stages.push(...baselines.map((name) => ({ name, does: "a baseline" })));
  return stages;
}
