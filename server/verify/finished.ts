import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkValues } from "../checkpoint/loadCheckpoint.ts";
import { weightsFile } from "../checkpoint/weights.ts";
import { openData } from "../data/dataset.ts";
import type { SplitName } from "../data/split.ts";
import { DamagedError } from "../disk/damaged.ts";
import { checkFile } from "../disk/fileDigests.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import { stageKinds } from "../protocol/stageKinds.ts";
import type { Stage } from "../runs/stages.ts";
import type { Check } from "./reading.ts";
import { readTensors } from "./tensors.ts";

/** Tokens read at a time. */
const tokensAtOnce = 1 << 20;
const splits: readonly SplitName[] = ["train", "heldout"];

/** Checks of a finished stage's files: those in its record, its weights and its tokens. */
export async function finishedChecks({ name, spec }: PlannedStage, { record, paths }: Stage): Promise<Check[]> {
  const checks = Object.entries(record.files ?? {}).map(([file, digest]): Check => {
    return async (reading) => {
      await checkFile(join(paths.folder, file), digest, reading.read);
      reading.passed();
    };
  });
  if (!record.files)
    checks.push(async ({ unchecked }) =>
      unchecked(`stage "${name}" was finished by an older version, which kept no digests of its files`),
    );
  if (stageKinds[spec.kind].makes === "model") checks.push(...(await weightChecks(paths.checkpoint)));
  if (spec.kind === "data")
    for (const domain of Object.keys(spec.domains))
      for (const split of splits) checks.push(tokensCheck(paths.folder, domain, split));
  return checks;
}

/** Checks of the weights in a checkpoint's folder. */
async function weightChecks(folder: string): Promise<Check[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".safetensors"));
  return (names.length > 0 ? names : [weightsFile]).map((name): Check => {
    const path = join(folder, name);
    return async (reading) => {
      if (names.length === 0) throw new DamagedError(path, "it is missing");
      const hasDigests = await readTensors(path, reading, (tensor, values) => {
        if (values instanceof Float32Array) checkValues(dirname(path), tensor, values);
      });
      if (hasDigests) reading.passed();
      else reading.unchecked(`${path} was written without digests, so only its header and its values were checked`);
    };
  });
}

/** Reads all tokens of a domain's split. */
const tokensCheck =
  (folder: string, domain: string, split: SplitName): Check =>
  async (reading) => {
    const data = await openData(folder);
    try {
      const tokens = data.split(domain, split);
      for (let start = 0; start < tokens.length; start += tokensAtOnce) {
        const count = Math.min(tokensAtOnce, tokens.length - start);
        tokens.read(start, count);
        reading.read(count * (data.index.dtype === "u16" ? 2 : 4));
      }
      if (tokens.hasDigests) reading.passed();
      else reading.unchecked(`the ${split} tokens of "${domain}" have no digests, so only their ids were checked`);
    } finally {
      data.close();
    }
  };
