import { writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { hasCode, withDiskErrors } from "../disk/errors.ts";
import { UserError } from "../protocol/errors.ts";
import type { RunRecord } from "../protocol/run.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import { stageKinds } from "../protocol/stageKinds.ts";
import { type Verified, verifyEventSchema } from "../protocol/verify.ts";
import { checkpointOf, findModel, modelOf } from "../runs/findModel.ts";
import { runPaths, stagePaths } from "../runs/layout.ts";
import { requireRun } from "../runs/runs.ts";
import { checkResult } from "../runs/stageFiles.ts";
import type { Answers } from "./answers.ts";
import { btx, jsonLines } from "./btx.ts";
import { writeDemo } from "./demo.ts";
import { forkText } from "./experimentText.ts";
import { copyFolder } from "./exportFolder.ts";

/** Answers requests about finished models and runs. */
export function serveModels(answers: Answers): void {
  answers.to("btx/sample", async (asked, signal) => {
    const { root, run, stage, id, prompt, tokens, temperature, randomSeed } = asked;
    await findModel({ root, run, stage });
    const numbers = { tokens, temperature, "random-seed": randomSeed };
    const options = Object.entries({ model: stage, ...numbers }).map(([name, value]) => `--${name}=${value}`);
    // The command's output begins with the prompt.
    let toSkip = prompt.length;
    await btx(["sample", runPaths(root, run).folder, ...options], {
      input: prompt,
      signal,
      onOutput(text) {
        const rest = text.slice(toSkip);
        toSkip = Math.max(0, toSkip - text.length);
        if (rest !== "") answers.notify("btx/sampled", { id, text: rest });
      },
    });
    return {};
  });
  answers.to("btx/exportModel", async ({ folder, ...reference }, signal) => {
    const found = await findModel(reference);
    await checkResult(stagePaths(found.root, found.stage.key).folder, found.run);
    return { bytes: await copyFolder(checkpointOf(found, found.stage), folder, signal) };
  });
  answers.to("btx/compareRuns", async ({ runs }, signal) => {
    const folders = runs.map(({ root, run }) => runPaths(root, run).folder);
    await btx(["compare", ...folders], { signal, onOutput: () => {} });
    return { page: join(runs[0]!.root, "compare", "comparison.html") };
  });
  answers.to("btx/verifyRun", async ({ root, run, id }, signal) => {
    let verified: Verified | undefined;
    const onOutput = jsonLines((line) => {
      const event = verifyEventSchema.parse(line);
      if (event.event === "progress") {
        const { stage, done, total } = event;
        answers.notify("btx/verifying", { id, stage, done, total });
      } else {
        const { event: _, ...result } = event;
        verified = result;
      }
    });
    try {
      await btx(["verify", runPaths(root, run).folder, "--json"], { signal, onOutput });
    } catch (error) {
      // The command fails where it finds problems: they are the answer.
      if (!verified) throw error;
    }
    if (!verified) throw new UserError("verifying was cancelled");
    return verified;
  });
  answers.to("btx/forkRun", async (reference) => {
    const { root, run, stage } = reference;
    const { record } = await requireRun(root, run);
    return { file: await writeFork(root, record, modelOf(record, stage)) };
  });
  answers.to("btx/writeDemo", async ({ folder }) => ({ file: await writeDemo(folder) }));
}

/**
 * Writes a run's experiment, as it was run, next to its experiment file under a new name, with a model of the run and
 * its tokenizer as the seed. Keeps comments. Returns the path.
 *
 * @throws UserError if the model is a Mixture-of-Experts or the file cannot be written
 */
export async function writeFork(root: string, record: RunRecord, model: PlannedStage): Promise<string> {
  if (stageKinds[model.spec.kind].hasExperts)
    throw new UserError(
      `"${model.name}" is a Mixture-of-Experts, but a seed must be a dense model: fork from the seed, an expert or a dense baseline`,
    );
  const folder = dirname(root);
  const checkpoint = relative(folder, stagePaths(root, model.key).checkpoint).split(sep).join("/");
  const text = forkText(record.experiment, checkpoint, `Forked from ${model.name} of run ${record.id}.`);
  const stem = basename(record.file).replace(/\.btx\.yaml$/, "");
  for (let count = 1; ; count++) {
    const path = join(folder, `${stem}-fork${count === 1 ? "" : `-${count}`}.btx.yaml`);
    try {
      await withDiskErrors(path, () => writeFile(path, text, { flag: "wx" }));
      return path;
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    }
  }
}
