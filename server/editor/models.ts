import { join } from "node:path";
import type { StageReference } from "../protocol/editor.ts";
import { UserError } from "../protocol/errors.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import { runPaths, stagePaths } from "../runs/layout.ts";
import { type Run, readRun } from "../runs/runs.ts";
import type { Answers } from "./answers.ts";
import { btx } from "./btx.ts";
import { writeDemo } from "./demo.ts";
import { copyFolder } from "./exportFolder.ts";
import { writeFork } from "./fork.ts";

/** Answers what is done with finished models and runs. */
export function serveModels(answers: Answers): void {
  answers.toTrusted("btx/sample", "Models are sampled", async (asked, signal) => {
    const { root, run, stage, id, prompt, tokens, temperature, randomSeed } = asked;
    await modelOf({ root, run, stage });
    const numbers = { tokens, temperature, "random-seed": randomSeed };
    const options = Object.entries({ model: stage, ...numbers }).map(([name, value]) => `--${name}=${value}`);
    // What the command prints begins with the prompt.
    let toSkip = prompt.length;
    await btx(["sample", runPaths(root, run).folder, ...options], {
      input: prompt,
      signal,
      onOutput(text) {
        const rest = text.slice(toSkip);
        toSkip = Math.max(0, toSkip - text.length);
        if (rest !== "") answers.tell("btx/sampled", { id, text: rest });
      },
    });
    return {};
  });
  answers.to("btx/exportModel", async ({ folder, ...reference }, signal) => {
    const { planned } = await modelOf(reference);
    const from = stagePaths(reference.root, planned.key).checkpoint;
    return { bytes: await copyFolder(from, folder, signal) };
  });
  answers.toTrusted("btx/compareRuns", "Runs are compared", async ({ runs }, signal) => {
    const folders = runs.map(({ root, run }) => runPaths(root, run).folder);
    await btx(["compare", ...folders], { signal, onOutput: () => {} });
    return { page: join(runs[0]!.root, "compare", "comparison.html") };
  });
  answers.to("btx/forkRun", async (reference) => {
    const { run, planned } = await modelOf(reference);
    return { file: await writeFork(reference.root, run.record, planned) };
  });
  answers.to("btx/writeDemo", async ({ folder }) => ({ file: await writeDemo(folder) }));
}

/** The stage that made a model, and its run. @throws UserError when there is no such model. */
async function modelOf({ root, run: id, stage }: StageReference): Promise<{ run: Run; planned: PlannedStage }> {
  const run = await readRun(runPaths(root, id).folder);
  if (!run) throw new UserError(`there is no run ${id} in ${root}`);
  const planned = run.record.stages.find(({ name }) => name === stage);
  if (!planned || ["data", "evaluate", "btm"].includes(planned.spec.kind))
    throw new UserError(`run ${id} has no model "${stage}"`);
  return { run, planned };
}
