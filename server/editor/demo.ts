import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withDiskErrors } from "../disk/errors.ts";
import { randomStream } from "../model/random.ts";
import { UserError } from "../protocol/errors.ts";

/**
 * The demo: an experiment with its own texts that takes about a minute on a laptop. Its three domains (sums, sorted
 * letters and sentences) have little in common, so it is easy to see what the router learns.
 */

type Pick = <T>(items: readonly T[]) => T;

const experiment = `# Branch-Train-MiX in about a minute, on texts that were made for it.
# Run it with the triangle above the editor, or with the command "BTX Studio: Run Experiment".
model:     {layers: 2, hidden: 64, heads: 4, ffn: 160, context: 64}
tokenizer: {type: bytes}
training:  {batch: 16, learningRate: 4e-3}
domains:
  sums:      {files: sums.jsonl, text: "{question}\\n{answer}", answerAfter: "= "}
  sorting:   {files: sorting.txt}
  sentences: {files: sentences.txt}
seed:      {tokens: 200k}     # on all domains
experts:   {tokens: 100k}     # one per domain, in parallel
mix:       {router: {type: top-k, k: 2, loadBalance: 0.01}}
finetune:  {tokens: 150k}
evaluate:  {tokens: 8k, answers: 20}
compare:   [average, dense]
`;

/** Lines of each text. */
const lines = 4000;

/** Writes the demo into an empty or new folder; returns the experiment file. @throws UserError for any other folder. */
export async function writeDemo(folder: string): Promise<string> {
  const there = await readdir(folder).catch(() => []);
  if (there.length > 0) throw new UserError(`${folder} is not empty: choose another folder for the demo`);
  const file = join(folder, "demo.btx.yaml");
  await withDiskErrors(file, async () => {
    await mkdir(folder, { recursive: true });
    for (const [name, line] of Object.entries(texts)) {
      const { uniform } = randomStream(1, name);
      const pick: Pick = (items) => items[Math.floor(uniform() * items.length)]!;
      await writeFile(join(folder, name), Array.from({ length: lines }, () => `${line(pick)}\n`).join(""));
    }
    // Written last: if the experiment file exists, so do its texts.
    await writeFile(file, experiment);
  });
  return file;
}

const digits = Array.from({ length: 10 }, (_, digit) => digit);
const letters = [..."abcdefghijklmnopqrstuvwxyz"];
const [articles, qualities, animals, verbs, places] = [
  ["the", "a", "one", "every"],
  ["small", "quiet", "red", "old", "clever", "hungry", "young", "grey"],
  ["fox", "owl", "horse", "mouse", "crow", "hare", "cat", "wolf"],
  ["sees", "follows", "greets", "hears", "meets", "avoids"],
  ["by the river", "in the barn", "on the hill", "under the bridge", "near the mill"],
] as const;

/** One line of each text. */
const texts: Readonly<Record<string, (pick: Pick) => string>> = {
  "sums.jsonl"(pick) {
    const [a, b] = [10 * pick(digits) + pick(digits), 10 * pick(digits) + pick(digits)];
    return JSON.stringify({ question: `${a}+${b}`, answer: `= ${a + b}` });
  },
  "sorting.txt"(pick) {
    const some = Array.from({ length: 4 + pick([0, 1, 2, 3]) }, () => pick(letters));
    return `${some.join("")} > ${some.toSorted().join("")}`;
  },
  "sentences.txt"(pick) {
    const thing = (): string => `${pick(articles)} ${pick(qualities)} ${pick(animals)}`;
    return `${thing()} ${pick(verbs)} ${thing()} ${pick(places)}.`;
  },
};
