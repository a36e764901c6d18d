import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { backend } from "@tensorflow/tfjs-core";
import { openEngine } from "../../server/engine/open.ts";
import type { EngineName } from "../../server/protocol/devices.ts";
import type { ModelConfig } from "../../server/protocol/model.ts";
import { countedIn } from "../../server/protocol/routingStatistics.ts";
import { trainingStep } from "../program.ts";

/**
 * A training step of ours as a process, as worker.py is one of a peer's, on an engine that another process must not meet:
 * `step.js '{config, sequences, engine, device, threads, precision}'`.
 */
interface Asked {
  config: ModelConfig;
  sequences: number;
  engine: EngineName;
  device: string;
  threads: number;
  precision?: "float16";
}

const { version: ortVersion } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
const tensorflowVersion = () => (backend() as unknown as { binding: { TF_Version: string } }).binding.TF_Version;
const answer = (members: object) => console.log(JSON.stringify(members));

try {
  const { config, engine: of, device, threads, ...options } = JSON.parse(process.argv[2]!) as Asked;
  const engine = await openEngine({ engine: of, device }, { threads, name: device });
  const step = await trainingStep(config, engine, { ...options, without: countedIn("training", "pairs") });
  const version = of === "tfjs" ? tensorflowVersion() : ortVersion;
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
