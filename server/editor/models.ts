import { join } from "node:path";
import { checkpointOf, findModel, modelOf } from "../runs/findModel.ts";
import { runPaths } from "../runs/layout.ts";
import { requireRun } from "../runs/runs.ts";
import type { Answers } from "./answers.ts";
import { btx } from "./btx.ts";
import { writeDemo } from "./demo.ts";
import { copyFolder } from "./exportFolder.ts";
import { writeFork } from "./fork.ts";

/** Answers what is done with finished models and runs. */
export function serveModels(answers: Answers): void {
  answers.toTrusted("btx/sample", "Models are sampled", async (asked, signal) => {
    const { root, run, stage, id, prompt, tokens, temperature, randomSeed } = asked;
    await findModel({ root, run, stage });
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
    const found = await findModel(reference);
    return { bytes: await copyFolder(checkpointOf(found, found.stage), folder, signal) };
  });
  answers.toTrusted("btx/compareRuns", "Runs are compared", async ({ runs }, signal) => {
    const folders = runs.map(({ root, run }) => runPaths(root, run).folder);
    await btx(["compare", ...folders], { signal, onOutput: () => {} });
    return { page: join(runs[0]!.root, "compare", "comparison.html") };
  });
  answers.to("btx/forkRun", async (reference) => {
    const { root, run, stage } = reference;
    const { record } = await requireRun(root, run);
    return { file: await writeFork(root, record, modelOf(record, stage)) };
  });
  answers.to("btx/writeDemo", async ({ folder }) => ({ file: await writeDemo(folder) }));
}
