import { readFileSync } from "node:fs";
import { compile } from "../../server/engine/onnx/compile.ts";
import { cpuEngine } from "../../server/engine/onnx/engine.ts";
import { Store } from "../../server/engine/store.ts";
import { generator } from "../../server/evaluation/generate.ts";
import { openCheckpointFolder } from "../../server/evaluation/openCheckpoint.ts";
import { logits } from "../../server/model/transformer.ts";
import { named, type Program } from "../../server/ops/program.ts";

/**
 * What our engine makes of a checkpoint, for transformers_check.py: `node ours.js FOLDER` reads
 * `{ids: [B][T], texts: [n], greedy}` and prints `{logits: B*T*V numbers, encoded: [n][], continued: [B][greedy]}`.
 */
interface Question {
  ids: number[][];
  texts: string[];
  /** New tokens to continue the first half of each row with, greedily. */
  greedy: number;
}

const { ids, texts, greedy } = JSON.parse(readFileSync(0, "utf8")) as Question;
const { config, parameters, tokenizer } = await openCheckpointFolder(process.argv[2]!);
const [rows, time] = [ids.length, ids[0]!.length];

const store = new Store();
for (const [name, { shape, data }] of parameters) store.set(name, shape, data);
const forward: Program = (state, batch) => ({
  state: {},
  results: { logits: logits(state, named(batch, "tokens"), config).logits },
});
const program = await compile(forward, store, { tokens: { shape: [rows, time], dtype: "int32" } }, { threads: 1 });
const results = await program.run({ tokens: Int32Array.from(ids.flat()) });

const decoder = await generator(config, parameters, { rows, engine: cpuEngine(1) });
const continued = await decoder.generate(
  ids.map((row) => row.slice(0, time / 2)),
  { tokens: greedy, temperature: 0, topP: 1, randomSeed: 0, stop: () => false },
);
const encoded = texts.map((text) => [...tokenizer.encode(text)]);
process.stdout.write(JSON.stringify({ logits: [...results.logits!], encoded, continued }));
