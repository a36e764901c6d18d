import { writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { isNode, parseDocument } from "yaml";
import { UserError } from "../protocol/errors.ts";
import type { RunRecord } from "../protocol/run.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import { stageKinds } from "../protocol/stageKinds.ts";
import { hasCode, withDiskErrors } from "../runs/atomic.ts";
import { stagePaths } from "../runs/layout.ts";
import { withSections } from "./sections.ts";

/** Forking a run: its experiment again, from one of its models instead of from random weights. */

/**
 * Writes the experiment of a run, as it was run, beside its experiment file under a new name, with a model of the run as
 * its seed and that model's tokenizer. Comments stay. Gives the path.
 *
 * @throws UserError for a Mixture-of-Experts, and for a file that cannot be written.
 */
export async function writeFork(root: string, record: RunRecord, model: PlannedStage): Promise<string> {
  if (stageKinds[model.spec.kind].hasExperts)
    throw new UserError(
      `"${model.name}" is a Mixture-of-Experts, and a seed is a dense model: fork from the seed, an expert or a dense baseline`,
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

/**
 * An experiment's text with a checkpoint as its seed; all other lines stay as they are.
 * @param note a first line of comment.
 */
export function forkText(experiment: string, checkpoint: string, note: string): string {
  const document = parseDocument(experiment);
  // The checkpoint brings its tokenizer and its sizes; what is left of them must not contradict it.
  const kept = ["context", "moeLayers"].flatMap((key) => {
    const value = document.getIn(["model", key]);
    return value === undefined ? [] : [`${key}: ${isNode(value) ? JSON.stringify(value.toJSON()) : value}`];
  });
  const model = kept.length > 0 ? `model: {${kept.join(", ")}}` : "";
  const seed = `seed: {from: ${JSON.stringify(checkpoint)}}`;
  return `# ${note}\n${withSections(experiment, { name: "", tokenizer: "", model, seed })}`;
}
