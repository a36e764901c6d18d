import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { openEngine } from "../../server/engine/open.ts";
import type { ModelConfig } from "../../server/protocol/model.ts";
import { statistics } from "../../server/stages/training/programs.ts";
import { trainingStep } from "../program.ts";

/** A training step of ours as a process, as worker.py is one of a peer's: `step.js '{config, sequences, device, precision}'`. */
interface Asked {
  config: ModelConfig;
  sequences: number;
  device: "webgpu" | "cuda:0";
  precision?: "float16";
}

const answer = (members: object) => console.log(JSON.stringify(members));

try {
  const { config, device, ...options } = JSON.parse(process.argv[2]!) as Asked;
  const engine = await openEngine({ engine: "onnx", device }, { threads: 1, name: device });
  const step = await trainingStep(config, engine, { ...options, without: statistics });
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  answer({ version, device });
  for await (const _ of createInterface({ input: process.stdin })) {
    await step.run();
    answer({ loss: step.loss });
  }
} catch (error) {
  answer({ error: (error as Error).message.split("\n")[0] });
}
// Drivers may hold threads that never end.
process.exit(0);
