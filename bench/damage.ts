import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { experimentFolder, writeExperiment } from "../test/fixtures/experiment.ts";
import { btx } from "../test/integration/btx.ts";
import {
  killedIn,
  killedStages,
  type Outcome,
  outcomes,
  referenceOf,
  type TrialOptions,
  tryChange,
} from "../test/integration/mutations.ts";
import { measuredOn } from "./machine.ts";

/**
 * `npm run bench -- damage [--finished 2000] [--killed 300] [--first 0] [--at-once 2]`: random changes to files of a
 * finished run, and of runs that were killed in each stage, and how many of them are noticed, harmless or neither
 * (test/integration/mutations.ts). Writes results/damage.json and exits with 1 if one is neither. Ctrl-C ends it after
 * the trials that are under way, and what was tried is written.
 */

const { values } = parseArgs({
  options: {
    finished: { type: "string", default: "2000" },
    killed: { type: "string", default: "300" },
    first: { type: "string", default: "0" },
    "at-once": { type: "string", default: "2" },
  },
});
const [finished, killed, first, atOnce] = [values.finished, values.killed, values.first, values["at-once"]].map(Number);

const scratch = mkdtempSync(join(tmpdir(), "btx-damage-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const whole = join(scratch, "finished");
mkdirSync(whole);
const experiment = writeExperiment(whole);
const ended = await btx(["run", experiment.file]);
if (ended.code !== 0) throw new Error(ended.stderr);
const reference = await referenceOf(experiment);

const trials: TrialOptions[] = [];
for (let i = 0; i < finished!; i++) trials.push({ root: experiment.root, seed: first! + i });
if (killed! > 0) {
  const snapshots: Omit<TrialOptions, "seed">[] = [];
  for (const name of killedStages) {
    const folder = join(scratch, name.replaceAll(":", "-"));
    const stage = await killedIn(reference, name, folder);
    snapshots.push({ root: experimentFolder(folder).root, stage });
  }
  for (let i = 0; i < killed!; i++) trials.push({ ...snapshots[i % snapshots.length]!, seed: 1_000_000 + first! + i });
}

// In an order that mixes both kinds, so that what was tried before Ctrl-C is a sample of all.
const place = ({ seed }: TrialOptions): number => Math.imul(seed, 2_654_435_761) >>> 0;
trials.sort((a, b) => place(a) - place(b));
const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());

const began = performance.now();
const found: { trial: TrialOptions; outcome: Outcome }[] = [];
const waiting = [...trials];
async function work(): Promise<void> {
  for (let trial = waiting.shift(); trial && !interrupt.signal.aborted; trial = waiting.shift()) {
    const outcome = await tryChange(reference, trial);
    found.push({ trial, outcome });
    const { file, change, outcome: name, text } = outcome;
    if (!["noticed", "harmless"].includes(name))
      console.log(`${name}: seed ${trial.seed}, ${trial.stage?.name ?? "finished"}, ${file}, ${change}: ${text}`);
    if (found.length % 50 === 0) console.log(`${found.length} of ${trials.length}`);
  }
}
await Promise.all(Array.from({ length: atOnce! }, work));

const counts = (which: typeof found): Record<string, number> =>
  Object.fromEntries(outcomes.map((name) => [name, which.filter(({ outcome }) => outcome.outcome === name).length]));
/** File names without the stages' keys. */
const kindOf = (file: string): string => file.replace(/^stages\/[0-9a-f]+\//, "").replace(/^runs\/[^/]+\//, "run: ");
const kinds = [...new Set(found.map(({ outcome }) => kindOf(outcome.file)))].sort();
const results = {
  ...measuredOn,
  minutes: Math.round((performance.now() - began) / 6000) / 10,
  finished: counts(found.filter(({ trial }) => !trial.stage)),
  killed: counts(found.filter(({ trial }) => trial.stage)),
  files: Object.fromEntries(
    kinds.map((kind) => [kind, counts(found.filter(({ outcome }) => kindOf(outcome.file) === kind))]),
  ),
};
console.log(JSON.stringify({ finished: results.finished, killed: results.killed }, null, 2));
writeFileSync(new URL("./results/damage.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);
process.exitCode = found.some(({ outcome }) => !["noticed", "harmless"].includes(outcome.outcome)) ? 1 : 0;
