import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { checkBeginning } from "../disk/fileDigests.ts";
import { readJson } from "../runs/read.ts";
import type { Stage } from "../runs/stages.ts";
import { savedFiles } from "../stages/training/savedState.ts";
import type { Check } from "./reading.ts";
import { readTensors } from "./tensors.ts";

/** Checks of what an unfinished training resumes from: its saved state, and the files that grow with it. */
export async function savedChecks({ record: { name }, paths }: Stage): Promise<Check[]> {
  if (!existsSync(paths.state)) return [];
  const indices = (await readdir(paths.folder)).filter((file) => /^routing.*\.json$/.test(file));
  return [
    async (reading) => {
      if (await readTensors(paths.state, reading)) reading.passed();
      else reading.unchecked(`the training state of stage "${name}" was saved by an older version, without digests`);
    },
    ...indices.map(
      (file): Check =>
        async (reading) => {
          await readJson(join(paths.folder, file), z.unknown());
          reading.passed();
        },
    ),
    async (reading) => {
      for (const [file, digest] of Object.entries(await savedFiles(paths.state))) {
        await checkBeginning(join(paths.folder, file), digest, reading.read);
        reading.passed();
      }
    },
  ];
}
