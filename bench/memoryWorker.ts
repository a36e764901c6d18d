import { availableParallelism } from "node:os";
import { cpuEngine } from "../server/engine/onnx/engine.ts";
import { trainingMemory } from "../server/model/size.ts";
import type { MemoryCase, MemoryUse } from "./memory.ts";
import { trainingStep } from "./program.ts";

/** Told a case, it takes a few steps, answers with the memory they took, and ends. */
process.once("message", async ({ config, ...options }: MemoryCase) => {
  const step = await trainingStep(config, cpuEngine(availableParallelism()), options);
  for (let i = 0; i < 3; i++) await step.run();
  const start = performance.now();
  await step.run();
  const use: MemoryUse = {
    peak: process.resourceUsage().maxRSS * 1024,
    counted: trainingMemory(config, options.sequences, options),
    seconds: (performance.now() - start) / 1000,
  };
  process.send!(use, () => process.disconnect());
});
